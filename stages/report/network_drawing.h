// The network as a picture: inline SVG, readable in print, without script.
#pragma once

#include <string>

#include "pipeline/value.h"

namespace penstock::stages {

// The U of a U-Net from its layer table (architecture.json).
std::string network_drawing(const pipeline::Value& architecture);

}  // namespace penstock::stages
