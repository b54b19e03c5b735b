// The layers of the U-Nets (stages/compute/model/unet.h builds them). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stages/training/architecture.h"

namespace penstock::stages {

// What a U-Net's blocks and skip connections are.
struct UNetStyle {
  bool residual = false;  // blocks add to what they are given: norm, ReLU, convolution, twice; a 1x1 convolution beside
  bool attention = false;  // the decoder weighs each pixel of a skip connection by a gate
  bool nested = false;     // each level has decoder nodes from every level below, and each joins all before it
};
inline constexpr UNetStyle plain_unet = {}, residual_unet = {.residual = true}, attention_unet = {.attention = true},
                           nested_unet = {.nested = true};

// A node of the decoder joins what comes up from the level below with the nodes of its own level before it: the
// encoder's block, which is column 0, and, where nested, the columns up to its own.
struct DecoderNode {
  int64_t level = 0, column = 1;  // column depth - level is the level's last
  std::string suffix;             // of its modules' names: "0", nested "0_1"
};
// In the order of forward: the last of each level from the bottom up; nested: all of them, column by column.
std::vector<DecoderNode> decoder_nodes(int64_t depth, const UNetStyle& style);

std::vector<Layer> unet_layers(const Architecture& architecture, int64_t height, int64_t width, const UNetStyle& style);

// Channels inside the gate of a skip connection of so many.
inline int64_t gate_channels(int64_t channels) { return channels > 1 ? channels / 2 : 1; }

}  // namespace penstock::stages
