// What two pictures are compared by without opening them again: digests, a small picture, the lines along the sides.
// Pure; any thread may call.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/image.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

inline constexpr int thumbnail_side = 32;
inline constexpr int orientations = 8;  // four turns, each as it is and mirrored

enum Side { left = 0, right = 1, top = 2, bottom = 3 };

// The outermost line of a picture, from the top or the left.
struct EdgeLine {
  std::vector<uint8_t> values;  // grey
  double step = 0;              // mean absolute difference to the next line inside
};

struct Fingerprint {
  int width = 0, height = 0;
  std::string pixels;   // digest of size and decoded values
  std::string objects;  // digest of the label map, whatever its numbers; empty where not labelled
  std::string drawing;  // digest of size and what is not 0, of a picture of two values, one of them 0; else empty
  std::string mask;     // the same of the labelled pixels; empty where none is labelled
  // Grey, [side, side], stretched to 0..255; empty where the picture is nearly constant.
  std::vector<uint8_t> thumbnail;
  // For each orientation, whether a block of 1/8 of the side is brighter than its right neighbour (difference hash).
  std::array<uint64_t, orientations> hashes{};
  std::array<EdgeLine, 4> lines;
};

// `grey` has one channel of the picture's size; `map` may be null.
Fingerprint fingerprint_of(const Image& picture, const Image& grey, const LabelMap* map);

// A square of values, turned and mirrored: orientation 0 is as it is.
std::vector<uint8_t> oriented(const std::vector<uint8_t>& square, int orientation);

pipeline::Value to_json(const Fingerprint& print);
Fingerprint fingerprint_from(const pipeline::Value& json);

}  // namespace penstock::stages
