// What the objects of a label map look like: pieces, holes, sizes. Pure; any thread may call.
#pragma once

#include <cstdint>

#include "stages/images/label_codec.h"

namespace penstock::stages {

// Areas are 8-connected, holes 4-connected: what touches at a corner is one piece, and a diagonal line closes a hole.
struct MaskShape {
  int64_t objects = 0;     // labels that occur
  int64_t in_pieces = 0;   // objects of several areas
  int64_t with_holes = 0;  // objects around background of `least_hole` pixels or more
  int64_t tiny = 0;        // objects of fewer than `least_object` pixels, or of under a hundredth of the median area
  double largest = 0;      // the largest object's share of the image
  double border = 0;       // share of the image's border that is labelled
  double foreground = 0;   // share of the image that is labelled
};
inline constexpr int64_t least_object = 4;  // pixels
inline constexpr int64_t least_hole = 4;    // pixels

MaskShape shape_of(const LabelMap& map);

}  // namespace penstock::stages
