// The one factor of a data set that brings its objects to a wanted diameter. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <map>

#include "stages/images/label_codec.h"

namespace penstock::stages {

// How many objects have which area, native pixels.
using AreaCounts = std::map<int64_t, int64_t>;
void count_areas(const LabelMap& map, AreaCounts& counts);

// `diameter` over the median equivalent diameter, 2 sqrt(area / pi), of these objects; of two in the middle the larger.
// No object fails a check.
double scale_for_diameter(double diameter, const AreaCounts& counts);

}  // namespace penstock::stages
