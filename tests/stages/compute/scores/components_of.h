// Objects of a picture that is decoded as a whole: what object_finder.h must find too. And those of a single map of
// foreground, as a network without other targets gives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "distributed/check.h"
#include "stages/compute/scores/decoders.h"
#include "stages/images/label_codec.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

// Numbers them 1..n in the order of their first pixels, without those of fewer pixels than `minimum_area`.
inline LabelMap numbered(std::span<const int32_t> objects, int width, int height, int64_t minimum_area) {
  LabelMap map{height, width, std::vector<uint16_t>(objects.size())};
  if (objects.empty()) return map;
  const auto count = static_cast<size_t>(*std::max_element(objects.begin(), objects.end())) + 1;
  std::vector<int64_t> area(count);
  for (const int32_t object : objects) ++area[static_cast<size_t>(object)];
  std::vector<uint16_t> number(count);
  uint16_t next = 0;
  for (size_t i = 0; i < objects.size(); ++i) {
    const auto object = static_cast<size_t>(objects[i]);
    if (object == 0 || area[object] < minimum_area) continue;
    if (number[object] == 0 && next < std::numeric_limits<uint16_t>::max()) number[object] = ++next;
    map.labels[i] = number[object];
  }
  return map;
}

// Objects where the foreground's probability exceeds `threshold`.
inline LabelMap objects_of(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  PENSTOCK_CHECK(maps.values.size() == maps.pixels() * maps.targets.size(), "a map has a value a pixel and target");
  require_decodable(maps.targets, rules);
  if (maps.pixels() == 0) return {maps.height, maps.width, {}};
  const auto objects = row_of(decoders(), "decoder", rules.decoder).function(maps, threshold, rules);
  return numbered(objects, maps.width, maps.height, rules.minimum_area);
}

inline LabelMap components(const std::vector<float>& foreground, int width, int height, double threshold,
                           const InstanceRules& rules) {
  return objects_of({width, height, {"mask"}, foreground}, threshold, rules);
}

}  // namespace penstock::stages
