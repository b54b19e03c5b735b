#include "stages/compute/model/up_layer.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/modules/conv.h>

#include <numeric>

#include "stages/training/upsamplings.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

torch::Tensor doubled_along(const torch::Tensor& x, int64_t dimension) {
  const int64_t size = x.size(dimension);
  const auto before = torch::cat({x.narrow(dimension, 0, 1), x.narrow(dimension, 0, size - 1)}, dimension);
  const auto after = torch::cat({x.narrow(dimension, 1, size - 1), x.narrow(dimension, size - 1, 1)}, dimension);
  const auto own = 0.75 * x;
  return torch::stack({own + 0.25 * before, own + 0.25 * after}, dimension + 1).flatten(dimension, dimension + 1);
}

// A transposed convolution of bfloat16 on the CPU whose bias is not oneDNN's, which sums the bias's gradient value by
// value: 7 % of a step of 16 channels. A bias of [1, C, 1, 1] is added pixel by pixel, 5 % of a step of 8 channels; so
// it is added to rows of many pixels.
class UpConvolution final : public torch::autograd::Function<UpConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias) {
    context->save_for_backward({x, weight});
    auto y = torch::conv_transpose2d(x, weight, {}, 2).contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t channels = bias.size(0), pixels = std::gcd(y.numel() / channels, int64_t{64});  // of a row
    y.permute({0, 2, 3, 1}).view({-1, pixels * channels}).add_(bias.repeat({pixels}));
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& dy = gradients[0];
    const auto [dx, d_weight, none] = at::convolution_backward(dy, saved[0], saved[1], {}, {2, 2}, {0, 0}, {1, 1}, true,
                                                               {0, 0}, 1, {true, true, false});
    return {dx, d_weight, dy.sum({0, 2, 3})};
  }
};

}  // namespace

torch::Tensor doubled(const torch::Tensor& x) {
  const auto made = doubled_along(doubled_along(x, 2), 3);
  return x.is_cpu() ? made.contiguous(at::MemoryFormat::ChannelsLast) : made;
}

UpLayer::UpLayer(std::string_view name, int64_t in, int64_t out) : interpolates_(upsampling_rule(name).interpolates) {
  if (interpolates_)
    module_ = nn::AnyModule(nn::Conv2d(nn::Conv2dOptions(in, out, 1)));
  else
    module_ = nn::AnyModule(nn::ConvTranspose2d(nn::ConvTranspose2dOptions(in, out, 2).stride(2)));
}

torch::Tensor UpLayer::operator()(const torch::Tensor& x) {
  if (!interpolates_ && x.is_cpu() && x.scalar_type() == torch::kBFloat16) {
    const auto up = module_.get<nn::ConvTranspose2d>();
    return UpConvolution::apply(x, up->weight, up->bias);
  }
  const auto y = module_.forward(x);
  return interpolates_ ? doubled(y) : y;
}

}  // namespace penstock::stages
