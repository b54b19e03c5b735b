#include "stages/compute/model/norm_layer.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/normalization.h>

#include "distributed/check.h"
#include "stages/compute/model/norm_relu.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

constexpr int64_t group_size = 8;  // channels a group norm takes together

// Momentum 1: after a forward in training the buffers hold that micro-batch's own mean and unbiased variance.
nn::BatchNorm2dOptions batch_options(int64_t channels) { return nn::BatchNorm2dOptions(channels).momentum(1.0); }

class BatchNorm : public nn::BatchNorm2dImpl, public NormLayer {
 public:
  explicit BatchNorm(int64_t channels) : nn::BatchNorm2dImpl(batch_options(channels)) {}
  torch::Tensor normed_relu(const torch::Tensor& x) override {
    if (is_training() && x.is_cpu()) {
      return norm_relu(x.contiguous(at::MemoryFormat::ChannelsLast), weight, bias, running_mean,
                       running_var);  // x is laid out so already, except for odd shapes
    }
    return forward(x).relu_();
  }
};

class SyncNorm final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  void sum_over_ranks(const SumOverRanks& sum) override { sum_ = sum; }
  torch::Tensor normed_relu(const torch::Tensor& x) override {
    if (!is_training()) return BatchNorm::normed_relu(x);
    PENSTOCK_CHECK(sum_ != nullptr, "a norm over ranks is given its sum over ranks before training");
    return sync_batch_norm(x, weight, bias, running_mean, running_var, sum_).relu_();
  }

 private:
  SumOverRanks sum_;
};

class GroupNorm final : public nn::GroupNormImpl, public NormLayer {
 public:
  explicit GroupNorm(int64_t channels)
      : nn::GroupNormImpl(nn::GroupNormOptions(channels % group_size == 0 ? channels / group_size : 1, channels)) {}
  torch::Tensor normed_relu(const torch::Tensor& x) override { return forward(x).relu_(); }
};

template <typename Norm>
std::shared_ptr<NormLayer> make(int64_t channels) {
  return std::make_shared<Norm>(channels);
}

}  // namespace

const std::vector<NormMaker>& norm_makers() {
  static const std::vector<NormMaker> makers = {
      {"batch", make<BatchNorm>},
      {"sync", make<SyncNorm>},
      {"group", make<GroupNorm>},
      {"none", [](int64_t) { return std::shared_ptr<NormLayer>(); }},
  };
  return makers;
}

std::shared_ptr<NormLayer> make_norm(std::string_view name, int64_t channels) {
  return row_of(norm_makers(), "norm", name).make(channels);
}

}  // namespace penstock::stages
