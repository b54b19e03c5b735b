// How the pixels that a network calls foreground become objects; object_finder.h does it for pictures of any size.
// Pure; any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  bool fill_holes = false;             // background inside of an object becomes its own (hole_filling.h)

  bool operator==(const InstanceRules&) const = default;
};

// A check: 4 or 8 neighbours, and the targets that the decoder needs.
void require_decodable(const std::vector<std::string>& targets, const InstanceRules& rules);

// The decoders by name. [height, width]: any number above 0 for each object, 0 where there is none.
using Decoder = std::vector<int32_t> (*)(const PixelMaps& maps, double threshold, const InstanceRules& rules);
struct NamedDecoder {
  std::string name;
  // Cuts each piece of foreground, connected by edges or corners, by itself: nothing beyond the background around a
  // piece may decide how. object_finder.h relies on it.
  Decoder function = nullptr;
};
const std::vector<NamedDecoder>& decoders();
void add_row(NamedDecoder decoder);  // of a user's own program: compute/extensions.h

}  // namespace penstock::stages
