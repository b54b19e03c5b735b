// Native label maps as they are stored: a zlib stream of u16 little endian, [height, width] from the top. Any thread
// may call.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::stages {

// 0 background, 1..n objects.
struct LabelMap {
  int height = 0;
  int width = 0;
  std::vector<uint16_t> labels;

  int objects() const;
};

std::vector<uint8_t> encode_labels(const LabelMap& map);

// Throws Error(data) naming `what` when the stream is damaged or does not hold height x width values.
LabelMap decode_labels(std::span<const uint8_t> bytes, int height, int width, std::string_view what);

}  // namespace penstock::stages
