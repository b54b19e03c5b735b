#include "stages/compute/model/unet.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "distributed/check.h"
#include "stages/training/norms.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

torch::Tensor run_half(nn::Conv2d& convolution, const std::shared_ptr<NormLayer>& norm, const torch::Tensor& x) {
  const auto y = convolution(x);
  return norm ? norm->normed_relu(y) : y.relu_();
}

}  // namespace

UNet::UNet(const Architecture& architecture) : architecture_(architecture) {
  int64_t in = architecture.in_channels, out = architecture.base_channels;
  for (int64_t level = 0; level < architecture.depth; ++level) {
    down_.push_back(make_block(fmt::format("down{}", level), in, out));
    in = out;
    out *= 2;
  }
  bottom_ = make_block("bottom", in, out);
  for (int64_t level = architecture.depth - 1; level >= 0; --level) {
    up_.push_back(register_module(fmt::format("up{}", level),
                                  nn::ConvTranspose2d(nn::ConvTranspose2dOptions(out, out / 2, 2).stride(2))));
    joined_.push_back(make_block(fmt::format("joined{}", level), out, out / 2));
    out /= 2;
  }
  output_ = register_module("output", nn::Conv2d(nn::Conv2dOptions(out, architecture.out_channels, 1)));
}

UNet::Block UNet::make_block(const std::string& name, int64_t in, int64_t out) {
  Block block;
  block.first = make_half(name, 1, in, out);
  block.second = make_half(name, 2, out, out);
  return block;
}

UNet::Half UNet::make_half(const std::string& name, int number, int64_t in, int64_t out) {
  Half half;
  const bool bias = !norm_rule(architecture_.norm).is_layer;  // a norm has a shift of its own
  half.convolution = register_module(fmt::format("{}_conv{}", name, number),
                                     nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(bias)));
  half.norm = make_norm(architecture_.norm, out);
  if (half.norm)
    register_module(fmt::format("{}_norm{}", name, number), std::dynamic_pointer_cast<nn::Module>(half.norm));
  return half;
}

void UNet::sum_over_ranks(const SumOverRanks& sum) {
  for (const auto& module : modules(false)) {
    if (auto* norm = dynamic_cast<NormLayer*>(module.get())) norm->sum_over_ranks(sum);
  }
}

torch::Tensor UNet::run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout) {
  x = run_half(block.first.convolution, block.first.norm, x);
  x = run_half(block.second.convolution, block.second.norm, x);
  if (architecture_.dropout > 0 && is_training()) {
    PENSTOCK_CHECK(dropout.has_value(), "training with dropout draws from a given generator");
    const double kept = 1 - architecture_.dropout;
    x = x * torch::empty_like(x).bernoulli_(kept, dropout).div_(kept);
  }
  return x;
}

torch::Tensor UNet::forward(torch::Tensor x, std::optional<at::Generator> dropout) {
  const int64_t factor = int64_t{1} << architecture_.depth;
  PENSTOCK_CHECK(
      x.dim() == 4 && x.size(1) == architecture_.in_channels && x.size(2) % factor == 0 && x.size(3) % factor == 0,
      fmt::format("a U-Net of depth {} takes [N, {}, H, W] with H and W divisible by {}, not {}", architecture_.depth,
                  architecture_.in_channels, factor, fmt::join(x.sizes(), " x ")));
  if (x.is_cpu())
    x = x.contiguous(at::MemoryFormat::ChannelsLast);  // else oneDNN goes there and back around every convolution
  std::vector<torch::Tensor> skips;
  for (Block& block : down_) {
    x = run(block, x, dropout);
    skips.push_back(x);
    x = torch::max_pool2d(x, 2);
  }
  x = run(bottom_, x, dropout);
  for (size_t i = 0; i < up_.size(); ++i) {
    x = torch::cat({skips[skips.size() - 1 - i], up_[i](x)}, 1);
    x = run(joined_[i], x, dropout);
  }
  return output_(x);
}

}  // namespace penstock::stages
