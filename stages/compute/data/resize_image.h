// From a decoded image to a sample's pixels and back: the one place for resize, eval and predict, so that all see the
// same pixels. Pure; any thread may call.
#pragma once

#include <vector>

#include "stages/images/image_codec.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

// A picture (images/picture.h) at width x height, in as many bits. Area averaging where it shrinks, else bilinear, each
// channel on its own; the same pixels where it keeps its size.
Image to_grid(const Image& picture, int width, int height);

// The grid mask of a native label map: 1 where at least `coverage` of the grid pixel's area is labelled. [H,W] of
// {0,1}.
std::vector<uint8_t> mask_on_grid(const LabelMap& map, int width, int height, double coverage);

// A probability map [grid_height, grid_width] at another size, bilinear.
std::vector<float> resize_probability(const std::vector<float>& probability, int grid_width, int grid_height, int width,
                                      int height);

}  // namespace penstock::stages
