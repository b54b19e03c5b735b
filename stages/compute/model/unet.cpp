#include "stages/compute/model/unet.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cmath>

#include "distributed/check.h"
#include "stages/compute/model/norm_relu.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

constexpr int64_t group_size = 8;  // channels a group norm takes together

nn::Conv2d convolution(int64_t in, int64_t out, bool bias) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(bias));
}

// Momentum 1: after a forward in training the buffers hold that micro-batch's own mean and unbiased variance.
nn::BatchNorm2d batch_norm(int64_t channels) { return nn::BatchNorm2d(nn::BatchNorm2dOptions(channels).momentum(1.0)); }

bool has_batch_norm(const Architecture& architecture) {
  return architecture.norm == "batch" || architecture.norm == "sync";
}

nn::GroupNorm group_norm(int64_t channels) {
  return nn::GroupNorm(nn::GroupNormOptions(channels % group_size == 0 ? channels / group_size : 1, channels));
}

}  // namespace

UNetImpl::UNetImpl(const Architecture& architecture) : architecture_(architecture) {
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
  output_ = register_module("output", nn::Conv2d(nn::Conv2dOptions(out, 1, 1)));
}

UNetImpl::Block UNetImpl::make_block(const std::string& name, int64_t in, int64_t out) {
  Block block;
  const bool bias = architecture_.norm == "none";  // a norm has a shift of its own
  block.first = register_module(name + "_conv1", convolution(in, out, bias));
  if (has_batch_norm(architecture_)) block.first_batch = register_module(name + "_norm1", batch_norm(out));
  if (architecture_.norm == "group") block.first_group = register_module(name + "_norm1", group_norm(out));
  block.second = register_module(name + "_conv2", convolution(out, out, bias));
  if (has_batch_norm(architecture_)) block.second_batch = register_module(name + "_norm2", batch_norm(out));
  if (architecture_.norm == "group") block.second_group = register_module(name + "_norm2", group_norm(out));
  return block;
}

torch::Tensor UNetImpl::normed_relu(nn::BatchNorm2d& batch, nn::GroupNorm& group, const torch::Tensor& x) {
  if (batch && architecture_.norm == "sync" && is_training()) {
    PENSTOCK_CHECK(sum_ != nullptr, "a network with synchronised norms is told how to sum over ranks");
    return sync_batch_norm(x, batch->weight, batch->bias, batch->running_mean, batch->running_var, sum_).relu_();
  }
  if (batch && is_training() && x.is_cpu() && x.scalar_type() == torch::kFloat32) {
    return norm_relu(x.contiguous(at::MemoryFormat::ChannelsLast), batch->weight, batch->bias, batch->running_mean,
                     batch->running_var);  // as it is, but for odd shapes
  }
  return (batch ? batch(x) : group ? group(x) : x).relu_();
}

torch::Tensor UNetImpl::run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout) {
  x = normed_relu(block.first_batch, block.first_group, block.first(x));
  x = normed_relu(block.second_batch, block.second_group, block.second(x));
  if (architecture_.dropout > 0 && is_training()) {
    PENSTOCK_CHECK(dropout.has_value(), "training with dropout draws from a given generator");
    const double kept = 1 - architecture_.dropout;
    x = x * torch::empty_like(x).bernoulli_(kept, dropout).div_(kept);
  }
  return x;
}

torch::Tensor UNetImpl::forward(torch::Tensor x, std::optional<at::Generator> dropout) {
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

FlatLayout layout_of(const UNet& model) {
  FlatLayout layout;
  for (const auto& parameter : model->named_parameters()) {
    layout.parameters.push_back(
        {parameter.key(), parameter.value().sizes().vec(), layout.parameter_count, parameter.value().numel()});
    layout.parameter_count += parameter.value().numel();
  }
  for (const auto& buffer : model->named_buffers()) {
    if (buffer.value().scalar_type() != torch::kFloat32) continue;
    layout.statistics.push_back(
        {buffer.key(), buffer.value().sizes().vec(), layout.statistic_count, buffer.value().numel()});
    layout.statistic_count += buffer.value().numel();
  }
  return layout;
}

void alias(UNet& model, const FlatLayout& layout, float* parameters, float* statistics) {
  auto own = model->named_parameters();
  for (const auto& slot : layout.parameters) {
    own[slot.name].set_data(torch::from_blob(parameters + slot.offset, slot.shape));
  }
  auto buffers = model->named_buffers();
  for (const auto& slot : layout.statistics)
    buffers[slot.name].set_data(torch::from_blob(statistics + slot.offset, slot.shape));
}

void initialise(const FlatLayout& layout, int64_t seed, std::vector<float>& parameters,
                std::vector<float>& statistics) {
  parameters.assign(static_cast<size_t>(layout.parameter_count), 0.0f);
  statistics.assign(static_cast<size_t>(layout.statistic_count), 0.0f);
  for (size_t index = 0; index < layout.parameters.size(); ++index) {
    const auto& slot = layout.parameters[index];
    float* values = parameters.data() + slot.offset;
    if (slot.shape.size() == 4) {
      // A transposed convolution's shape begins with its inputs; each output pixel takes one value of each of them.
      const bool up = slot.name.starts_with("up");
      const auto fan_in = static_cast<double>(up ? slot.shape[0] : slot.shape[1] * slot.shape[2] * slot.shape[3]);
      const double deviation = std::sqrt(2.0 / fan_in);
      const Draws draws(seed, "weights", {static_cast<int64_t>(index)});
      for (int64_t i = 0; i < slot.count; ++i)
        values[i] = static_cast<float>(deviation * draws.normal(static_cast<uint64_t>(i)));
    } else if (slot.name.find("_norm") != std::string::npos && slot.name.ends_with(".weight")) {
      std::fill_n(values, slot.count, 1.0f);
    }
  }
  for (const auto& slot : layout.statistics) {
    if (slot.name.ends_with("running_var")) std::fill_n(statistics.data() + slot.offset, slot.count, 1.0f);
  }
}

}  // namespace penstock::stages
