#include "stages/compute/model/flat_layout.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <algorithm>
#include <cmath>

#include "distributed/check.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

namespace nn = torch::nn;

double product(const torch::ExpandingArray<2>& sides) { return static_cast<double>((*sides)[0] * (*sides)[1]); }

// Adds what the owner of a tensor knows of it; `role` is the tensor's name in its module: "weight", "running_var".
void describe(const nn::Module& owner, const std::string& role, FlatLayout::Slot& slot) {
  if (const auto* convolution = owner.as<nn::Conv2dImpl>(); convolution != nullptr && role == "weight") {
    slot.fan_in = static_cast<double>(convolution->options.in_channels()) * product(convolution->options.kernel_size());
  } else if (const auto* up = owner.as<nn::ConvTranspose2dImpl>(); up != nullptr && role == "weight") {
    // With a stride as large as the kernel, an output pixel takes one value of each input channel.
    slot.fan_in = static_cast<double>(up->options.in_channels()) * product(up->options.kernel_size()) /
                  product(up->options.stride());
  } else if (dynamic_cast<const nn::BatchNorm2dImpl*>(&owner) != nullptr) {
    slot.start = role == "weight" || role == "running_var" ? 1.0f : 0.0f;
    slot.keeps_float32 = true;
  } else if (dynamic_cast<const nn::GroupNormImpl*>(&owner) != nullptr) {
    slot.start = role == "weight" ? 1.0f : 0.0f;
  }
}

using Modules = torch::OrderedDict<std::string, std::shared_ptr<nn::Module>>;

FlatLayout::Slot slot_of(const Modules& modules, const std::string& name, const torch::Tensor& value, int64_t offset) {
  FlatLayout::Slot slot{name, value.sizes().vec(), offset, value.numel()};
  const size_t dot = name.rfind('.');
  PENSTOCK_CHECK(dot != std::string::npos, "a network's tensors belong to its layers; '" + name + "' is its own");
  describe(*modules[name.substr(0, dot)], name.substr(dot + 1), slot);
  PENSTOCK_CHECK(slot.fan_in > 0 || value.dim() < 2, "the initial values of '" + name + "' are stated");
  return slot;
}

}  // namespace

FlatLayout layout_of(const Network& network) {
  const Modules modules = network.named_modules("", false);
  FlatLayout layout;
  for (const auto& parameter : network.named_parameters()) {
    layout.parameters.push_back(slot_of(modules, parameter.key(), parameter.value(), layout.parameter_count));
    layout.parameter_count += parameter.value().numel();
  }
  for (const auto& buffer : network.named_buffers()) {
    if (buffer.value().scalar_type() != torch::kFloat32) continue;
    layout.statistics.push_back(slot_of(modules, buffer.key(), buffer.value(), layout.statistic_count));
    layout.statistic_count += buffer.value().numel();
  }
  return layout;
}

bool is_of_encoder(const FlatLayout::Slot& slot) {
  return slot.name.starts_with("down") || slot.name.starts_with("bottom");
}

size_t encoder_parameters(const FlatLayout& layout) {
  const auto is_not = [](const FlatLayout::Slot& slot) { return !is_of_encoder(slot); };
  const auto end = std::find_if(layout.parameters.begin(), layout.parameters.end(), is_not);
  PENSTOCK_CHECK(std::all_of(end, layout.parameters.end(), is_not), "a network's encoder comes first");
  return static_cast<size_t>(end - layout.parameters.begin());
}

void alias(Network& network, const FlatLayout& layout, float* parameters, float* statistics, at::BFloat16* rounded) {
  const auto place = [](torch::Tensor& own, const FlatLayout::Slot& slot, auto* values, torch::ScalarType type) {
    PENSTOCK_CHECK(own.sizes().vec() == slot.shape, "'" + slot.name + "' has the shape that the layout states");
    own.set_data(torch::from_blob(values + slot.offset, slot.shape, type));
  };
  auto own = network.named_parameters();
  PENSTOCK_CHECK(own.size() == layout.parameters.size(), "a layout is used with a network of its architecture");
  for (const auto& slot : layout.parameters) {
    if (rounded != nullptr && !slot.keeps_float32)
      place(own[slot.name], slot, rounded, torch::kBFloat16);
    else
      place(own[slot.name], slot, parameters, torch::kFloat32);
  }
  auto buffers = network.named_buffers();
  for (const auto& slot : layout.statistics) place(buffers[slot.name], slot, statistics, torch::kFloat32);
}

void initialise(const FlatLayout& layout, int64_t seed, std::vector<float>& parameters,
                std::vector<float>& statistics) {
  parameters.assign(static_cast<size_t>(layout.parameter_count), 0.0f);
  statistics.assign(static_cast<size_t>(layout.statistic_count), 0.0f);
  for (size_t index = 0; index < layout.parameters.size(); ++index) {
    const auto& slot = layout.parameters[index];
    float* values = parameters.data() + slot.offset;
    if (slot.fan_in > 0) {
      const double deviation = std::sqrt(2.0 / slot.fan_in);
      const Draws draws(seed, "weights", {static_cast<int64_t>(index)});
      for (int64_t i = 0; i < slot.count; ++i)
        values[i] = static_cast<float>(deviation * draws.normal(static_cast<uint64_t>(i)));
    } else {
      std::fill_n(values, slot.count, slot.start);
    }
  }
  for (const auto& slot : layout.statistics) std::fill_n(statistics.data() + slot.offset, slot.count, slot.start);
}

}  // namespace penstock::stages
