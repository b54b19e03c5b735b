#include "stages/training/unet_layers.h"

#include <fmt/format.h>

#include "stages/training/norms.h"

namespace penstock::stages {
namespace {

// Walks the network in the order of forward and notes each layer.
class Walk {
 public:
  Walk(const Architecture& architecture, int64_t height, int64_t width)
      : norm_(norm_rule(architecture.norm)), channels_(architecture.in_channels), height_(height), width_(width) {}

  void block(const std::string& name, int64_t level, const char* side, int64_t out) {
    for (int i = 1; i <= 2; ++i) {
      conv(fmt::format("{}_conv{}", name, i), "3x3 convolution", level, side, out, 9, !norm_.is_layer, 1);
      if (!norm_.is_layer) continue;
      const int64_t statistics = norm_.running_statistics ? 2 * out : 0;  // mean and variance
      add(fmt::format("{}_norm{}", name, i), norm_.name + " norm, ReLU", level, side, {out, out}, statistics, 0);
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

  const NormRule& norm_;
  int64_t channels_, height_, width_;
};

}  // namespace

std::vector<Layer> unet_layers(const Architecture& architecture, int64_t height, int64_t width) {
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
  walk.conv("output", "1x1 convolution, sigmoid", 0, "output", architecture.out_channels, 1, true, 1);
  return std::move(walk.layers);
}

}  // namespace penstock::stages
