// Images in files: PNG, JPEG and TIFF in, PNG out. No colour management; alpha is kept and the caller drops it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

// Rows from the top, channels interleaved: [height, width, channels], 8 or 16 bits (native byte order) a value.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;  // 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA
  int bits = 8;      // 8 or 16
  std::vector<uint8_t> bytes;

  size_t values() const { return static_cast<size_t>(width) * height * channels; }
};

// By the first bytes, never by the name. Throws Error(data): "`what`: not a PNG, JPEG or TIFF image but ...",
// "`what`: truncated PNG", size caps (65,535 a side, 2^28 values), with `what` naming file or entry.
Image decode_image(std::span<const uint8_t> bytes, std::string_view what);

// Width, height, channels and bits without decoding the pixels.
Image read_image_header(std::span<const uint8_t> bytes, std::string_view what);

// 8- or 16-bit PNG, deterministic bytes.
std::string encode_png(const Image& image);

// 8-bit: 16-bit values are scaled by value / 257, rounded to nearest. The stated rule of samples.
Image to_8_bit(Image image);
// 1 or 3 channels, alpha dropped: grey is repeated for 3; for 1, luma = (299 R + 587 G + 114 B + 500) / 1000.
Image to_channels(const Image& image, int channels);

bool looks_like_image_name(std::string_view name);  // .png .jpg .jpeg .tif .tiff, any case

}  // namespace penstock::stages
