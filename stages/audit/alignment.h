// Whether a mask lies where its picture's edges are, and what a threshold alone would label. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/images/label_codec.h"

namespace penstock::stages {

// Where the outlines of the objects meet the strongest edges of the picture.
struct Alignment {
  int dx = 0, dy = 0;  // pixels that the mask must be moved by, at most `widest_shift` each way; 0 where it fits best
  // How far the picture's gradient under the outlines lies above its mean, in standard deviations: as the mask lies,
  // and moved by (dx, dy).
  double here = 0, best = 0;
};
inline constexpr int widest_shift = 8;

// `grey`: [height, width] of the map. All zero without outlines or on a picture without edges.
Alignment alignment_of(const std::vector<uint8_t>& grey, const LabelMap& map);

// Otsu's threshold (IEEE Trans. SMC 9, 62-66, 1979) of 8-bit values: the share of them that lies above it. 0 of a
// constant picture.
double share_above_otsu(const std::vector<uint8_t>& grey);

}  // namespace penstock::stages
