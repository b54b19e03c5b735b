#include "stages/training/architecture.h"

#include <fmt/format.h>

#include <numeric>

namespace penstock::stages {
namespace {

using pipeline::Value;

// Walks the network as forward does, and notes each layer.
class Walk {
 public:
  Walk(const Architecture& architecture, int64_t height, int64_t width)
      : architecture_(architecture), channels_(architecture.in_channels), height_(height), width_(width) {}

  void block(const std::string& name, int64_t level, const char* side, int64_t out) {
    const std::string& norm = architecture_.norm;
    for (int i = 1; i <= 2; ++i) {
      conv(fmt::format("{}_conv{}", name, i), "3x3 convolution", level, side, out, 9, norm == "none", 1);
      if (norm == "none") continue;
      const int64_t statistics = norm == "group" ? 0 : 2 * out;  // running mean and variance
      add(fmt::format("{}_norm{}", name, i), norm + " norm, ReLU", level, side, {out, out}, statistics, 0);
    }
  }
  void conv(const std::string& name, const std::string& kind, int64_t level, const char* side, int64_t out,
            int64_t taps, bool bias, int64_t scale) {
    std::vector<int64_t> slots = {channels_ * out * taps};
    if (bias) slots.push_back(out);
    height_ *= scale;
    width_ *= scale;
    // A stride-2 transposed convolution gives each output pixel one tap.
    const int64_t taps_per_pixel = scale == 2 ? 1 : taps;
    const int64_t flops = 2 * channels_ * out * taps_per_pixel * height_ * width_;
    channels_ = out;
    add(name, kind, level, side, std::move(slots), 0, flops);
  }
  void pool() { height_ /= 2, width_ /= 2; }
  void concatenate(int64_t channels) { channels_ += channels; }

  std::vector<Layer> layers;

 private:
  void add(const std::string& name, const std::string& kind, int64_t level, const char* side,
           std::vector<int64_t> slots, int64_t statistics, int64_t flops) {
    layers.push_back({name, kind, level, side, channels_, height_, width_, std::move(slots), statistics, flops});
  }

  const Architecture& architecture_;
  int64_t channels_, height_, width_;
};

}  // namespace

Value to_json(const Architecture& a) {
  return {{"kind", "unet"}, {"in_channels", a.in_channels}, {"base_channels", a.base_channels}, {"depth", a.depth},
          {"norm", a.norm}, {"dropout", a.dropout}};
}

Architecture architecture_from_json(const Value& json) {
  return {json.at("in_channels"), json.at("base_channels"), json.at("depth"), json.at("norm"), json.at("dropout")};
}

int64_t Layer::parameters() const { return std::accumulate(slots.begin(), slots.end(), int64_t{0}); }

std::vector<Layer> layers_of(const Architecture& architecture, int64_t height, int64_t width) {
  Walk walk(architecture, height, width);
  int64_t out = architecture.base_channels;
  for (int64_t level = 0; level < architecture.depth; ++level, out *= 2) {
    walk.block(fmt::format("down{}", level), level, "encoder", out);
    walk.pool();
  }
  walk.block("bottom", architecture.depth, "bottleneck", out);
  for (int64_t level = architecture.depth - 1; level >= 0; --level) {
    out /= 2;
    walk.conv(fmt::format("up{}", level), "2x2 transposed convolution", level, "decoder", out, 4, true, 2);
    walk.concatenate(out);
    walk.block(fmt::format("joined{}", level), level, "decoder", out);
  }
  walk.conv("output", "1x1 convolution, sigmoid", 0, "output", 1, 1, true, 1);
  return std::move(walk.layers);
}

std::vector<size_t> parameter_slots(const std::vector<Layer>& layers) {
  std::vector<size_t> slots;
  for (const Layer& layer : layers) slots.insert(slots.end(), layer.slots.begin(), layer.slots.end());
  return slots;
}

int64_t statistic_count(const std::vector<Layer>& layers) {
  int64_t count = 0;
  for (const Layer& layer : layers) count += layer.statistics;
  return count;
}

Value describe_layers(const Architecture& architecture, int64_t height, int64_t width) {
  int64_t parameters = 0, flops = 0;
  Value rows = Value::array();
  for (const Layer& layer : layers_of(architecture, height, width)) {
    rows.push_back({{"name", layer.name},
                    {"kind", layer.kind},
                    {"level", layer.level},
                    {"side", layer.side},
                    {"output", {layer.channels, layer.height, layer.width}},
                    {"parameters", layer.parameters()},
                    {"flops", layer.flops}});
    parameters += layer.parameters();
    flops += layer.flops;
  }
  return {{"schema", 1},
          {"input", {architecture.in_channels, height, width}},
          {"parameters", parameters},
          {"flops", flops},
          {"layers", std::move(rows)}};
}

}  // namespace penstock::stages
