#include "stages/compute/data/resize_masks.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "distributed/error.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

constexpr int half_range = 128;

// Most of a mask is background: eight pixels at a time.
bool all_zero(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word == 0;
}

// Calls visit(pixel) for every labelled pixel.
template <typename Visit>
void each_labelled(const Image& mask, const Visit& visit) {
  const size_t pixels = static_cast<size_t>(mask.width) * mask.height;
  if (mask.channels == 1) {
    for (size_t i = 0; i < pixels; ++i) {
      if (i + 8 <= pixels && all_zero(&mask.bytes[i]))
        i += 7;
      else if (mask.bytes[i] >= half_range)
        visit(i);
    }
    return;
  }
  const int colours = mask.channels == 2 ? 1 : 3;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* values = &mask.bytes[i * mask.channels];
    bool labelled = false;
    for (int c = 0; c < colours; ++c) labelled |= values[c] >= half_range;
    if (labelled) visit(i);
  }
}

}  // namespace

MergedMasks merge_masks(const std::vector<MaskFile>& files, int width, int height) {
  MergedMasks merged;
  merged.map = {height, width, std::vector<uint16_t>(static_cast<size_t>(width) * height)};
  for (const MaskFile& file : files) {
    const Image mask = to_8_bit(decode_image(file.bytes, file.name));
    if (mask.width != width || mask.height != height) {
      throw Error(ExitCode::data, fmt::format("{}: the mask is {} x {} pixels, its image {} x {}", file.name,
                                              mask.width, mask.height, width, height));
    }
    if (merged.objects == std::numeric_limits<uint16_t>::max()) {
      throw Error(ExitCode::data, fmt::format("{}: an image may have at most {} objects", file.name, merged.objects));
    }
    const auto number = static_cast<uint16_t>(merged.objects + 1);
    bool any = false;
    each_labelled(mask, [&](size_t pixel) {
      uint16_t& label = merged.map.labels[pixel];
      any = true;
      if (label == 0)
        label = number;
      else
        ++merged.overlaps;
    });
    if (any)
      ++merged.objects;
    else
      ++merged.empty_masks;
  }
  return merged;
}

}  // namespace penstock::stages
