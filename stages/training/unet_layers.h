// The layers of the U-Net that stages/compute/model/unet.h builds, as arithmetic. Pure; called through layers_of().
#pragma once

#include "stages/training/architecture.h"

namespace penstock::stages {

std::vector<Layer> unet_layers(const Architecture& architecture, int64_t height, int64_t width);

}  // namespace penstock::stages
