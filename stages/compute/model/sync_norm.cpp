#include "stages/compute/model/sync_norm.h"

#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <cmath>
#include <vector>

#include "stages/compute/model/norm_relu.h"

namespace penstock::stages {
namespace {

// Sums per channel of x and of x * y, then how many values they are of: one vector, added over all ranks.
std::vector<double> sums_of(const torch::Tensor& x, const torch::Tensor& y, const SumOverRanks& sum) {
  const int64_t channels = x.size(1);
  std::vector<double> sums(static_cast<size_t>(2 * channels + 1));
  const auto first = x.sum({0, 2, 3}, false, torch::kFloat64).contiguous(),
             second = (x.to(torch::kFloat64) * y).sum({0, 2, 3}).contiguous();
  std::copy_n(first.data_ptr<double>(), channels, sums.begin());
  std::copy_n(second.data_ptr<double>(), channels, sums.begin() + channels);
  sums.back() = static_cast<double>(x.numel() / channels);
  sum(sums.data(), sums.size());
  return sums;
}

torch::Tensor per_channel(const torch::Tensor& values) { return values.view({1, -1, 1, 1}); }

// The arithmetic is float32's; what comes in and goes out may be bfloat16.
class SyncNorm final : public torch::autograd::Function<SyncNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& given,
                               const torch::Tensor& weight, const torch::Tensor& bias, torch::Tensor running_mean,
                               torch::Tensor running_var, int64_t sum_pointer) {
    const auto& sum = *reinterpret_cast<const SumOverRanks*>(sum_pointer);
    const torch::Tensor x = given.to(torch::kFloat32);
    const int64_t channels = x.size(1);
    const auto sums = sums_of(x, x, sum);
    const double count = sums.back();
    auto mean = torch::empty({channels}), scale = torch::empty({channels});
    for (int64_t c = 0; c < channels; ++c) {
      const double average = sums[c] / count, variance = std::max(0.0, sums[channels + c] / count - average * average);
      mean.data_ptr<float>()[c] = static_cast<float>(average);
      scale.data_ptr<float>()[c] = static_cast<float>(1 / std::sqrt(variance + norm_epsilon));
      running_mean.data_ptr<float>()[c] = static_cast<float>(average);
      running_var.data_ptr<float>()[c] = static_cast<float>(variance * count / std::max(1.0, count - 1));
    }
    const auto normal = (x - per_channel(mean)) * per_channel(scale);
    context->save_for_backward({normal, weight, scale});
    context->saved_data["sum"] = sum_pointer;
    return (normal * per_channel(weight) + per_channel(bias)).to(given.scalar_type());
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &normal = saved[0], &weight = saved[1], &scale = saved[2];
    const torch::Tensor dy = gradients[0].to(torch::kFloat32);
    const auto& sum = *reinterpret_cast<const SumOverRanks*>(context->saved_data["sum"].toInt());
    const int64_t channels = dy.size(1);
    // This rank's part of the parameters' gradients: the reducer adds the others'.
    const auto d_bias = dy.sum({0, 2, 3}), d_weight = (dy * normal).sum({0, 2, 3});
    const auto sums = sums_of(dy, normal, sum);
    auto mean_dy = torch::empty({channels}), mean_dy_normal = torch::empty({channels});
    for (int64_t c = 0; c < channels; ++c) {
      mean_dy.data_ptr<float>()[c] = static_cast<float>(sums[c] / sums.back());
      mean_dy_normal.data_ptr<float>()[c] = static_cast<float>(sums[channels + c] / sums.back());
    }
    const auto dx = per_channel(weight * scale) * (dy - per_channel(mean_dy) - normal * per_channel(mean_dy_normal));
    return {dx.to(gradients[0].scalar_type()), d_weight, d_bias, torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor sync_batch_norm(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                              torch::Tensor running_mean, torch::Tensor running_var, const SumOverRanks& sum) {
  return SyncNorm::apply(x, weight, bias, running_mean, running_var, reinterpret_cast<int64_t>(&sum));
}

}  // namespace penstock::stages
