#include "stages/compute/data/object_scale.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "distributed/check.h"

namespace penstock::stages {

void count_areas(const LabelMap& map, AreaCounts& counts) {
  std::vector<int64_t> areas(static_cast<size_t>(map.objects()) + 1);
  for (const auto label : map.labels) ++areas[label];
  for (size_t label = 1; label < areas.size(); ++label) {
    if (areas[label] > 0) ++counts[areas[label]];
  }
}

double scale_for_diameter(double diameter, const AreaCounts& counts) {
  int64_t objects = 0;
  for (const auto& [area, count] : counts) objects += count;
  PENSTOCK_CHECK(objects > 0, "a median is of at least one object");
  int64_t below = 0;
  for (const auto& [area, count] : counts) {
    below += count;
    if (below > objects / 2) return diameter / (2 * std::sqrt(static_cast<double>(area) / std::numbers::pi));
  }
  return 1;
}

}  // namespace penstock::stages
