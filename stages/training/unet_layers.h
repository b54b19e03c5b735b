// The layers of the U-Nets (stages/compute/model/unet.h builds them). Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/training/architecture.h"

namespace penstock::stages {

// What a U-Net's blocks and skip connections are.
struct UNetStyle {
  bool residual = false;  // blocks add to what they are given: norm, ReLU, convolution, twice; a 1x1 convolution beside
  bool attention = false;  // the decoder weighs each pixel of a skip connection by a gate
};
inline constexpr UNetStyle plain_unet = {}, residual_unet = {true, false}, attention_unet = {false, true};

std::vector<Layer> unet_layers(const Architecture& architecture, int64_t height, int64_t width, const UNetStyle& style);

// Channels inside the gate of a skip connection of so many.
inline int64_t gate_channels(int64_t channels) { return channels > 1 ? channels / 2 : 1; }

}  // namespace penstock::stages
