#include "stages/compute/model/unet.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "distributed/check.h"
#include "stages/compute/model/joined.h"
#include "stages/training/norms.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

torch::Tensor run_half(nn::Conv2d& convolution, const std::shared_ptr<NormLayer>& norm, const torch::Tensor& x) {
  const auto y = convolution(x);
  return norm ? norm->normed_relu(y) : y.relu_();
}

// The other way round, as residual blocks do.
torch::Tensor run_half_after_norm(nn::Conv2d& convolution, const std::shared_ptr<NormLayer>& norm, bool first,
                                  const torch::Tensor& x) {
  if (first) return convolution(x);
  return convolution(norm ? norm->normed_relu(x) : x.relu());
}

}  // namespace

UNet::UNet(const Architecture& architecture, const UNetStyle& style)
    : architecture_(architecture), style_(style), nodes_(decoder_nodes(architecture.depth, style)) {
  int64_t in = architecture.in_channels, out = architecture.base_channels;
  for (int64_t level = 0; level < architecture.depth; ++level) {
    down_.push_back(make_block(fmt::format("down{}", level), in, out));
    in = out;
    out *= 2;
  }
  bottom_ = make_block("bottom", in, out);
  for (const DecoderNode& node : nodes_) {
    const int64_t own = architecture.base_channels << node.level, joined = style.nested ? node.column : 1;
    up_.emplace_back(architecture.upsampling, 2 * own, own);
    register_module("up" + node.suffix, up_.back().module().ptr());
    if (style.attention) gates_.push_back(make_gate(node.level, own));
    joined_.push_back(make_block("joined" + node.suffix, (joined + 1) * own, own));
  }
  output_ = register_module("output",
                            nn::Conv2d(nn::Conv2dOptions(architecture.base_channels, architecture.out_channels, 1)));
  PENSTOCK_CHECK(architecture.side_outputs < architecture.depth, "each side output has a level below the first");
  for (int64_t side = 1; side <= architecture.side_outputs; ++side) {
    sides_.push_back(make_pointwise(fmt::format("side{}", side),
                                    architecture.base_channels << (style.nested ? 0 : side), architecture.out_channels,
                                    true));
  }
}

UNet::Block UNet::make_block(const std::string& name, int64_t in, int64_t out) {
  Block block;
  block.first = make_half(name, 1, in, out);
  block.second = make_half(name, 2, out, out);
  if (style_.residual) block.beside = make_pointwise(name + "_beside", in, out, true);
  return block;
}

nn::Conv2d UNet::make_pointwise(const std::string& name, int64_t in, int64_t out, bool bias) {
  return register_module(name, nn::Conv2d(nn::Conv2dOptions(in, out, 1).bias(bias)));
}

UNet::Gate UNet::make_gate(int64_t level, int64_t channels) {
  const int64_t inside = gate_channels(channels);
  Gate gate;
  gate.skip = make_pointwise(fmt::format("gate{}_skip", level), channels, inside, false);
  gate.up = make_pointwise(fmt::format("gate{}_up", level), channels, inside, true);
  gate.weight = make_pointwise(fmt::format("gate{}_weight", level), inside, 1, true);
  return gate;
}

torch::Tensor UNet::gated(Gate& gate, const torch::Tensor& skip, const torch::Tensor& up) {
  return skip * torch::sigmoid(gate.weight((gate.skip(skip) + gate.up(up)).relu_()));
}

UNet::Half UNet::make_half(const std::string& name, int number, int64_t in, int64_t out) {
  Half half;
  const bool bias = !norm_rule(architecture_.norm).is_layer;  // a norm has a shift of its own
  const auto own_norm = [&](int64_t channels) {
    half.norm = make_norm(architecture_.norm, channels);
    if (half.norm)
      register_module(fmt::format("{}_norm{}", name, number), std::dynamic_pointer_cast<nn::Module>(half.norm));
  };
  const bool of_picture = name == "down0" && number == 1;  // which residual blocks take as it is
  if (style_.residual && !of_picture) own_norm(in);
  half.convolution = register_module(fmt::format("{}_conv{}", name, number),
                                     nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(bias)));
  if (!style_.residual) own_norm(out);
  return half;
}

void UNet::sum_over_ranks(const SumOverRanks& sum) {
  for (const auto& module : modules(false)) {
    if (auto* norm = dynamic_cast<NormLayer*>(module.get())) norm->sum_over_ranks(sum);
  }
}

torch::Tensor UNet::run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout) {
  if (style_.residual) {
    const auto given = x;
    x = run_half_after_norm(block.first.convolution, block.first.norm, &block == &down_.front(), x);
    x = run_half_after_norm(block.second.convolution, block.second.norm, false, x) + block.beside(given);
  } else {
    x = run_half(block.first.convolution, block.first.norm, x);
    x = run_half(block.second.convolution, block.second.norm, x);
  }
  if (architecture_.dropout > 0 && is_training()) {
    PENSTOCK_CHECK(dropout.has_value(), "training with dropout draws from a given generator");
    const double kept = 1 - architecture_.dropout;
    x = x * torch::empty_like(x).bernoulli_(kept, dropout).div_(kept);
  }
  return x;
}

// `done`: as in forward.
torch::Tensor UNet::with_sides(torch::Tensor logits, const std::vector<std::vector<torch::Tensor>>& done) {
  std::vector<torch::Tensor> all = {std::move(logits)};
  const std::vector<int64_t> size = {all.front().size(2), all.front().size(3)};
  for (size_t side = 1; side <= sides_.size(); ++side) {
    const auto& from = style_.nested ? done.front()[done.front().size() - 1 - side] : done[side].back();
    all.push_back(torch::upsample_nearest2d(sides_[side - 1](from), size));
  }
  return torch::cat(all, 1);
}

torch::Tensor UNet::forward(torch::Tensor x, std::optional<at::Generator> dropout) {
  const int64_t factor = int64_t{1} << architecture_.depth;
  PENSTOCK_CHECK(
      x.dim() == 4 && x.size(1) == architecture_.in_channels && x.size(2) % factor == 0 && x.size(3) % factor == 0,
      fmt::format("a U-Net of depth {} takes [N, {}, H, W] with H and W divisible by {}, not {}", architecture_.depth,
                  architecture_.in_channels, factor, fmt::join(x.sizes(), " x ")));
  if (x.is_cpu())
    x = x.contiguous(at::MemoryFormat::ChannelsLast);  // else oneDNN goes there and back around every convolution
  std::vector<std::vector<torch::Tensor>> done(down_.size() + 1);  // of each level, the encoder's block and the nodes
  for (size_t level = 0; level < down_.size(); ++level) {
    x = run(down_[level], x, dropout);
    done[level].push_back(x);
    x = torch::max_pool2d(x, 2);
  }
  done.back().push_back(run(bottom_, x, dropout));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto level = static_cast<size_t>(nodes_[i].level);
    const auto up = up_[i](done[level + 1].back());
    std::vector<torch::Tensor> maps = done[level];
    if (style_.attention) maps.back() = gated(gates_[i], maps.back(), up);
    maps.push_back(up);
    auto made = run(joined_[i], joined(maps), dropout);
    if (style_.nested)
      done[level].push_back(std::move(made));
    else
      done[level] = {std::move(made)};
  }
  auto logits = output_(done.front().back());
  return sides_.empty() || !is_training() ? logits : with_sides(std::move(logits), done);
}

}  // namespace penstock::stages
