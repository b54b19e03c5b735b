// PNG in and out. Most images and masks are 8-bit and not interlaced: those take a short path of our own (chunk walk,
// libdeflate, unfilter), several times faster than zlib; libpng does the rest. Both give the same pixels.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "stages/images/image_format.h"

namespace penstock::stages {

extern const ImageFormat png_format;

// 8- or 16-bit PNG, deterministic bytes.
std::string encode_png(const Image& image);

// The two ways of decoding, for the test that compares them. nullopt: not of the simple kind.
std::optional<Image> decode_simple_png(std::span<const uint8_t> bytes, std::string_view what);
Image decode_any_png(std::span<const uint8_t> bytes, std::string_view what);

}  // namespace penstock::stages
