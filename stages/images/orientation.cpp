#include "stages/images/orientation.h"

#include <cstring>
#include <utility>

namespace penstock::stages {
namespace {

// Numbers of an EXIF block in its byte order; 0 beyond its end.
struct Block {
  std::span<const uint8_t> bytes;
  bool little = false;

  uint32_t number(size_t at, size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + (little ? size - 1 - i : i)];
    return value;
  }
};

}  // namespace

int orientation_in_exif(std::span<const uint8_t> exif) {
  constexpr uint32_t tag = 274;
  if (exif.size() < 8) return upright;
  const Block block{exif, exif[0] == 'I'};
  const size_t directory = block.number(4, 4);
  const size_t entries = block.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + i * 12;
    if (block.number(at, 2) != tag) continue;
    const uint32_t value = block.number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : upright;
  }
  return upright;
}

void turn_upright(std::vector<uint8_t>& bytes, int& width, int& height, size_t pixel_bytes, int orientation) {
  if (orientation < 2 || orientation > 8) return;
  const auto w = static_cast<size_t>(width), h = static_cast<size_t>(height);
  const bool swap = swaps_sides(orientation);
  const size_t out_w = swap ? h : w, out_h = swap ? w : h;
  std::vector<uint8_t> turned(bytes.size());
  for (size_t y = 0; y < out_h; ++y) {
    for (size_t x = 0; x < out_w; ++x) {
      // Where the pixel that belongs at (x, y) is stored: rows and columns are swapped last (5 to 8).
      size_t sx = swap ? y : x, sy = swap ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) sx = w - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) sy = h - 1 - sy;
      std::memcpy(&turned[(y * out_w + x) * pixel_bytes], &bytes[(sy * w + sx) * pixel_bytes], pixel_bytes);
    }
  }
  bytes = std::move(turned);
  width = static_cast<int>(out_w);
  height = static_cast<int>(out_h);
}

}  // namespace penstock::stages
