// A landscape from its slopes: what a network has learned of the direction to the middle of each object, as heights.
// Pure; any thread may call.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/compute/scores/decoders.h"

namespace penstock::stages {

// Heights whose differences between neighbours fit the slopes that the targets horizontal and vertical say best (least
// squares: Horn and Brooks 1986), in pixels; 0 outside of the region. A slope is 1 at the edge of an object and 0 in
// its middle, so that an object is a hill, about half as high as it is from its middle to its edge. [height, width].
// Approximate: a fixed number of sweeps, so that what a piece of the region becomes does not depend on others.
std::vector<float> surface_of(const PixelMaps& maps, const std::vector<uint8_t>& region);

}  // namespace penstock::stages
