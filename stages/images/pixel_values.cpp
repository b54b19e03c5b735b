#include "stages/images/pixel_values.h"

#include <algorithm>
#include <cstring>

namespace penstock::stages {

std::vector<size_t> counts_of(const PixelValues& values) {
  std::vector<size_t> counts(size_t{1} << values.bits);
  values.with([&](const auto* value) {
    for (size_t i = 0; i < values.size(); ++i) ++counts[value[i]];
  });
  return counts;
}

size_t value_at_place(const std::vector<size_t>& counts, size_t place) {
  size_t value = 0;
  for (size_t below = counts[0]; below <= place; below += counts[++value]) {
  }
  return value;
}

std::vector<uint8_t> whole_bytes(const PixelValues& values) {
  if (values.bits == 8) return {values.bytes.begin(), values.bytes.end()};
  std::vector<uint8_t> narrow(values.size());
  values.with([&](const auto* value) {
    for (size_t i = 0; i < narrow.size(); ++i)
      narrow[i] = static_cast<uint8_t>((value[i] + wide_steps / 2) / wide_steps);
  });
  return narrow;
}

ShownRange::ShownRange(const PixelValues& picture) {
  if (picture.bits == 8) return;
  const std::vector<size_t> counts = counts_of(picture);
  const auto at = [&](double share) {
    const auto place = static_cast<size_t>(share * static_cast<double>(picture.size() - 1));
    return static_cast<uint32_t>(value_at_place(counts, place));
  };
  low_ = at(0.01), high_ = std::max(at(0.998), low_ + 1);
}

std::vector<uint8_t> ShownRange::bytes(const PixelValues& part) const {
  if (part.bits == 8) return {part.bytes.begin(), part.bytes.end()};
  std::vector<uint8_t> shown(part.size());
  const uint32_t span = high_ - low_;
  part.with([&](const auto* value) {
    for (size_t i = 0; i < shown.size(); ++i)
      shown[i] = static_cast<uint8_t>(((std::clamp<uint32_t>(value[i], low_, high_) - low_) * 255 + span / 2) / span);
  });
  return shown;
}

Image as_shown(Image picture) {
  check_whole(picture);
  if (picture.bits == 8) return picture;
  picture.bytes = ShownRange(picture).bytes(picture);
  picture.bits = 8;
  return picture;
}

std::vector<uint8_t> widened(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> wide(bytes.size() * sizeof(uint16_t));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto value = static_cast<uint16_t>(bytes[i] * wide_steps);
    std::memcpy(&wide[i * sizeof value], &value, sizeof value);
  }
  return wide;
}

}  // namespace penstock::stages
