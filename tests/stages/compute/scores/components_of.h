// Objects of a picture that is decoded as a whole: what object_finder.h must find too. And those of a single map of
// foreground, as a network without other targets gives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/check.h"
#include "stages/compute/scores/decoders.h"
#include "stages/images/label_codec.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

// Numbers them 1..n in the order of their first pixels, without those of fewer pixels than `minimum_area`.
inline std::vector<uint32_t> numbered(std::span<const int32_t> objects, int64_t minimum_area) {
  std::vector<uint32_t> labels(objects.size());
  const auto count = static_cast<size_t>(*std::max_element(objects.begin(), objects.end())) + 1;
  std::vector<int64_t> area(count);
  for (const int32_t object : objects) ++area[static_cast<size_t>(object)];
  std::vector<uint32_t> number(count);
  uint32_t next = 0;
  for (size_t i = 0; i < objects.size(); ++i) {
    const auto object = static_cast<size_t>(objects[i]);
    if (object == 0 || area[object] < minimum_area) continue;
    if (number[object] == 0) number[object] = ++next;
    labels[i] = number[object];
  }
  return labels;
}

// Objects where the foreground's probability exceeds `threshold`.
inline std::vector<uint32_t> numbers_of(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  PENSTOCK_CHECK(maps.values.size() == maps.pixels() * maps.targets.size(), "a map has a value a pixel and target");
  require_decodable(maps.targets, rules);
  return numbered(row_of(decoders(), "decoder", rules.decoder).function(maps, threshold, rules), rules.minimum_area);
}

inline LabelMap objects_of(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const auto numbers = numbers_of(maps, threshold, rules);
  PENSTOCK_CHECK(std::all_of(numbers.begin(), numbers.end(), [](uint32_t number) { return number <= 65535; }),
                 "a label map has numbers of 16 bits");
  return {maps.height, maps.width, {numbers.begin(), numbers.end()}};
}

inline LabelMap components(const std::vector<float>& foreground, int width, int height, double threshold,
                           const InstanceRules& rules) {
  return objects_of({width, height, {"mask"}, foreground}, threshold, rules);
}

}  // namespace penstock::stages
