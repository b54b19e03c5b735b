#include "stages/training/unet_layers.h"

#include <fmt/format.h>

#include "stages/training/norms.h"
#include "stages/training/upsamplings.h"

namespace penstock::stages {
namespace {

// Walks the network in the order of forward and notes each layer.
class Walk {
 public:
  Walk(const Architecture& architecture, int64_t height, int64_t width)
      : norm_(norm_rule(architecture.norm)),
        up_(upsampling_rule(architecture.upsampling)),
        full_height_(height),
        full_width_(width),
        channels_(architecture.in_channels),
        height_(height),
        width_(width) {}

  // `first`: of the picture itself, which is not normed.
  void residual_block(const std::string& name, int64_t level, const char* side, int64_t out, bool first) {
    const int64_t in = channels_;
    for (int i = 1; i <= 2; ++i) {
      if (norm_.is_layer && !(first && i == 1)) norm(fmt::format("{}_norm{}", name, i), level, side);
      conv(fmt::format("{}_conv{}", name, i), "3x3 convolution", level, side, out, 9, !norm_.is_layer);
    }
    beside(fmt::format("{}_beside", name), level, side, in, out, true);
  }
  // The gate of a skip connection, beside what came up; both have the channels of the level.
  void gate(int64_t level) {
    const int64_t channels = channels_, inside = gate_channels(channels);
    beside(fmt::format("gate{}_skip", level), level, "decoder", channels, inside, false);
    beside(fmt::format("gate{}_up", level), level, "decoder", channels, inside, true);
    beside(fmt::format("gate{}_weight", level), level, "decoder", inside, 1, true);
    channels_ = channels;
  }
  void block(const std::string& name, int64_t level, const char* side, int64_t out) {
    for (int i = 1; i <= 2; ++i) {
      conv(fmt::format("{}_conv{}", name, i), "3x3 convolution", level, side, out, 9, !norm_.is_layer);
      if (!norm_.is_layer) continue;
      norm(fmt::format("{}_norm{}", name, i), level, side);
    }
  }
  void conv(const std::string& name, const std::string& kind, int64_t level, const char* side, int64_t out,
            int64_t taps, bool bias) {
    const int64_t in = channels_;
    channels_ = out;
    add_convolution(name, kind, level, side, in, taps, bias, height_ * width_);
  }
  // To the level above; each pixel of the level below takes all taps, of a stride-2 transposed convolution too.
  void up(const std::string& name, int64_t level, int64_t out) {
    const int64_t in = channels_, below = height_ * width_;
    channels_ = out, height_ *= 2, width_ *= 2;
    add_convolution(name, up_.layer, level, "decoder", in, up_.taps, true, below);
  }
  void norm(const std::string& name, int64_t level, const char* side) {
    const int64_t statistics = norm_.running_statistics ? 2 * channels_ : 0;  // mean and variance
    add(name, norm_.name + " norm, ReLU", level, side, {channels_, channels_}, statistics, 0);
  }
  // A 1x1 convolution of something else than what was walked last.
  void beside(const std::string& name, int64_t level, const char* side, int64_t in, int64_t out, bool bias) {
    channels_ = in;
    conv(name, "1x1 convolution", level, side, out, 1, bias);
  }
  void pool() { height_ /= 2, width_ /= 2; }
  // Goes on behind a block of this level.
  void go_to(int64_t level, int64_t channels) {
    channels_ = channels, height_ = full_height_ >> level, width_ = full_width_ >> level;
  }
  // Layers from here on are of a nested decoder's column.
  void enter_column(int64_t column) { column_ = column; }
  void concatenate(int64_t channels) { channels_ += channels; }

  std::vector<Layer> layers;

 private:
  // `places`: at each of them all taps are taken.
  void add_convolution(const std::string& name, const std::string& kind, int64_t level, const char* side, int64_t in,
                       int64_t taps, bool bias, int64_t places) {
    std::vector<int64_t> slots = {in * channels_ * taps};
    if (bias) slots.push_back(channels_);
    add(name, kind, level, side, std::move(slots), 0, 2 * in * channels_ * taps * places);
  }
  void add(const std::string& name, const std::string& kind, int64_t level, const char* side,
           std::vector<int64_t> slots, int64_t statistics, int64_t flops) {
    layers.push_back(
        {name, kind, level, side, channels_, height_, width_, std::move(slots), statistics, flops, column_});
  }

  const NormRule& norm_;
  const UpsamplingRule& up_;
  const int64_t full_height_, full_width_;
  int64_t channels_, height_, width_, column_ = 0;
};

}  // namespace

std::vector<DecoderNode> decoder_nodes(int64_t depth, const UNetStyle& style) {
  std::vector<DecoderNode> nodes;
  for (int64_t column = 1; column <= depth; ++column) {
    for (int64_t level = style.nested ? 0 : depth - column; level <= depth - column; ++level)
      nodes.push_back({level, column, style.nested ? fmt::format("{}_{}", level, column) : std::to_string(level)});
  }
  return nodes;
}

std::vector<Layer> unet_layers(const Architecture& architecture, int64_t height, int64_t width,
                               const UNetStyle& style) {
  Walk walk(architecture, height, width);
  const auto block = [&](const std::string& name, int64_t level, const char* side, int64_t out, bool first = false) {
    if (style.residual)
      walk.residual_block(name, level, side, out, first);
    else
      walk.block(name, level, side, out);
  };
  int64_t out = architecture.base_channels;
  for (int64_t level = 0; level < architecture.depth; ++level, out *= 2) {
    block(fmt::format("down{}", level), level, "encoder", out, level == 0);
    walk.pool();
  }
  block("bottom", architecture.depth, "bottleneck", out);
  for (const DecoderNode& node : decoder_nodes(architecture.depth, style)) {
    out = architecture.base_channels << node.level;
    walk.go_to(node.level + 1, 2 * out);
    if (style.nested) walk.enter_column(node.column);
    walk.up("up" + node.suffix, node.level, out);
    if (style.attention) walk.gate(node.level);
    walk.concatenate(style.nested ? node.column * out : out);
    block("joined" + node.suffix, node.level, "decoder", out);
  }
  walk.enter_column(0);
  walk.conv("output", "1x1 convolution, sigmoid", 0, "output", architecture.out_channels, 1, true);
  for (int64_t side = 1; side <= architecture.side_outputs; ++side) {
    const int64_t level = style.nested ? 0 : side;
    walk.go_to(level, architecture.base_channels << level);
    if (style.nested) walk.enter_column(architecture.depth - side);
    walk.conv(fmt::format("side{}", side), "1x1 convolution, sigmoid", level, "output", architecture.out_channels, 1,
              true);
  }
  return std::move(walk.layers);
}

}  // namespace penstock::stages
