// Objects from what a network says of each pixel. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stages/images/label_codec.h"

namespace penstock::stages {

// Probabilities of an image, one plane a target of the network (training/targets.h): [targets, height, width].
struct PixelMaps {
  int width = 0, height = 0;
  std::vector<std::string> targets = {"mask"};
  std::vector<float> values;

  size_t pixels() const { return static_cast<size_t>(width) * static_cast<size_t>(height); }
  std::span<const float> plane(size_t target) const { return std::span(values).subspan(target * pixels(), pixels()); }
  std::span<const float> foreground() const { return plane(0); }
};

struct InstanceRules {
  int connectivity = 4;                // 4: pixels that share an edge belong together
  int64_t minimum_area = 0;            // smaller objects are removed, native pixels
  std::string decoder = "components";  // training/decoders.h
  double seed_threshold = 0.5;         // of decoders with seeds

  bool operator==(const InstanceRules&) const = default;
};

// Objects where the foreground's probability exceeds `threshold`, numbered 1..n in the order of their first pixels.
// More than 65,535: the smallest numbers are kept. A decoder that needs a target which `maps` lacks fails a check.
LabelMap objects_of(const PixelMaps& maps, double threshold, const InstanceRules& rules);

// The decoders by name. [height, width]: any number above 0 for each object, 0 where there is none.
using Decoder = std::vector<int32_t> (*)(const PixelMaps& maps, double threshold, const InstanceRules& rules);
struct NamedDecoder {
  std::string name;
  Decoder function = nullptr;
};
const std::vector<NamedDecoder>& decoders();

// Numbers them 1..n in the order of their first pixels, without those of fewer pixels than `minimum_area`.
LabelMap numbered(std::span<const int32_t> objects, int width, int height, int64_t minimum_area);

}  // namespace penstock::stages
