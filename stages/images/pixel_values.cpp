#include "stages/images/pixel_values.h"

#include <cstring>

namespace penstock::stages {

std::vector<size_t> counts_of(const PixelValues& values) {
  std::vector<size_t> counts(size_t{1} << values.bits);
  values.with([&](const auto* value) {
    for (size_t i = 0; i < values.size(); ++i) ++counts[value[i]];
  });
  return counts;
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

std::vector<uint8_t> widened(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> wide(bytes.size() * sizeof(uint16_t));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto value = static_cast<uint16_t>(bytes[i] * wide_steps);
    std::memcpy(&wide[i * sizeof value], &value, sizeof value);
  }
  return wide;
}

}  // namespace penstock::stages
