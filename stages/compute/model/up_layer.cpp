#include "stages/compute/model/up_layer.h"

#include <torch/nn/modules/conv.h>

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
    // oneDNN sums the gradient of this layer's bias value by value: 7 % of a step of 16 channels.
    const auto up = module_.get<nn::ConvTranspose2d>();
    return torch::conv_transpose2d(x, up->weight, {}, 2).add_(up->bias.view({1, -1, 1, 1}));
  }
  const auto y = module_.forward(x);
  return interpolates_ ? doubled(y) : y;
}

}  // namespace penstock::stages
