#include "stages/images/labels_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

uint32_t value_at(const Image& image, size_t i) {
  return image.bits == 8 ? image.bytes[i] : reinterpret_cast<const uint16_t*>(image.bytes.data())[i];
}

// What 16-bit colours are divided by to lie in 8 bits; 0: no number does it.
uint32_t divisor_of_colours(const Image& image) {
  if (image.bits == 8) return 1;
  bool small = true, repeated = true;
  for (size_t i = 0; i < image.values(); ++i) {
    small &= value_at(image, i) <= 255;
    repeated &= value_at(image, i) % 257 == 0;
  }
  return small ? 1 : repeated ? 257 : 0;
}

bool all_grey(const Image& image) {
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i) {
    const size_t at = i * image.channels;
    if (value_at(image, at) != value_at(image, at + 1) || value_at(image, at) != value_at(image, at + 2)) return false;
  }
  return true;
}

}  // namespace

LabelsImage labels_from(const Image& image, std::string_view what) {
  check_whole(image);
  const int colours = image.colours();
  if (colours != 1 && colours != 3) {
    throw Error(ExitCode::data,
                fmt::format("{}: a mask has one channel or three (colours), this has {}", what, colours));
  }
  LabelsImage labels{image.width, image.height, image.bits, false, false, {}, {}, image.notes};
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  labels.values.resize(pixels);
  labels.colours = colours == 3 && !all_grey(image);
  const uint32_t divisor = labels.colours ? divisor_of_colours(image) : 1;
  if (divisor == 0) {
    throw Error(ExitCode::data, fmt::format("{}: a mask of colours with 16 bits a channel is not read; save the ids of "
                                            "its objects as one channel, or 8-bit colours",
                                            what));
  }
  for (size_t i = 0; i < pixels; ++i) {
    const size_t at = i * image.channels;
    labels.values[i] = value_at(image, at) / divisor;
    if (labels.colours)
      for (int c = 1; c < 3; ++c) labels.values[i] = labels.values[i] << 8 | value_at(image, at + c) / divisor;
  }
  if (image.channels > colours) {
    labels.alpha.resize(pixels);
    const int shift = image.bits - 8;
    for (size_t i = 0; i < pixels; ++i)
      labels.alpha[i] = static_cast<uint8_t>(value_at(image, i * image.channels + colours) >> shift);
  }
  return labels;
}

}  // namespace penstock::stages
