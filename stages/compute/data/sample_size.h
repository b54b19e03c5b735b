// The size that a picture has as a sample where it keeps its own (resize_modes.h), and the one factor of a data set
// that brings its objects to a wanted diameter. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "stages/images/label_codec.h"

namespace penstock::stages {

struct SampleSize {
  int width = 0, height = 0;  // pixels
};

// Each side times `scale`, rounded, at least 1. Throws Error(data) naming `what` where the sample would be larger than
// an image may be (image.h).
SampleSize scaled_size(int width, int height, double scale, int channels, const std::string& what);

// How many objects have which area, native pixels.
using AreaCounts = std::map<int64_t, int64_t>;
void count_areas(const LabelMap& map, AreaCounts& counts);

// `diameter` over the median equivalent diameter, 2 sqrt(area / pi), of these objects; of two in the middle the larger.
// No object fails a check.
double scale_for_diameter(double diameter, const AreaCounts& counts);

}  // namespace penstock::stages
