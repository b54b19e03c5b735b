// Native label maps as they are stored: a zlib stream of u16 little endian, of u32 where a map has more objects than
// those tell apart, [height, width] from the top. Any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::stages {

using Label = uint32_t;  // 0 background, 1..n objects

inline constexpr Label most_narrow_label = 65535;  // larger ones are stored with 32 bits

struct LabelMap {
  int height = 0;
  int width = 0;
  std::vector<Label> labels;

  int objects() const;
};

// The values of a map in 16 bits; one that is too large fails a check.
std::vector<uint16_t> narrow_labels(std::span<const Label> labels);

std::vector<uint8_t> encode_labels(const LabelMap& map);

// Throws Error(data) naming `what` when the stream is damaged or does not hold height x width values.
LabelMap decode_labels(std::span<const uint8_t> bytes, int height, int width, std::string_view what);

}  // namespace penstock::stages
