// The values of a sample's picture where they lie, [height, width, channels], of 8 or 16 bits. What is measured of them
// counts in bytes, 0 to 255: a value of 16 bits is as many bytes as a 257th of it. Any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stages/images/image.h"

namespace penstock::stages {

inline constexpr int wide_steps = 257;  // of 16 bits, from one byte to the next: 255 * 257 = 65535

struct PixelValues {
  std::span<const uint8_t> bytes;  // of 16 bits in the machine's order, at an even address
  int bits = 8;

  PixelValues(std::span<const uint8_t> of, int bits_of_each = 8) : bytes(of), bits(bits_of_each) {}
  PixelValues(const std::vector<uint8_t>& of, int bits_of_each = 8) : bytes(of), bits(bits_of_each) {}
  PixelValues(const Image& image) : bytes(image.bytes), bits(image.bits) {}

  size_t size() const { return bytes.size() / static_cast<size_t>(bits / 8); }
  // Calls use() with the values: a pointer to the first, of their type.
  template <typename Use>
  decltype(auto) with(const Use& use) const {
    return bits == 8 ? use(bytes.data()) : use(reinterpret_cast<const uint16_t*>(bytes.data()));
  }
};

// How often there is each value, from 0 to the largest of these bits.
std::vector<size_t> counts_of(const PixelValues& values);
// The value at a place of the sorted values, from 0; `counts` says how often there is each, and of more than `place`.
size_t value_at_place(const std::vector<size_t>& counts, size_t place);
// A value in bytes.
inline double in_bytes(size_t value, int bits) {
  return bits == 8 ? static_cast<double>(value) : static_cast<double>(value) / wide_steps;
}
// Each value in whole bytes, rounded to the nearest, as to_8_bit() does.
std::vector<uint8_t> whole_bytes(const PixelValues& values);
// As people, and rules that see what people see, are shown a picture: 8 bits as they are; of 16 bits the values from 1
// % to 99.8 % of all in it become 0 to 255, as train.percentiles has them by default, for a fixed scale may leave it
// black.
class ShownRange {
 public:
  explicit ShownRange(const PixelValues& picture);  // the whole of it
  std::vector<uint8_t> bytes(const PixelValues& part) const;

 private:
  uint32_t low_ = 0, high_ = 65535;
};
Image as_shown(Image picture);

// The same values of 16 bits, of 8: as to_8_bit() gives them back.
std::vector<uint8_t> widened(std::span<const uint8_t> bytes);

}  // namespace penstock::stages
