// PNG in and out. Most images and masks are 8-bit and not interlaced: those take a short path of our own (chunk walk,
// libdeflate, unfilter), several times faster than zlib; libpng does the rest. Both give the same pixels.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "stages/images/image_codec.h"

namespace penstock::stages {

bool is_png(std::span<const uint8_t> bytes);
Image decode_png(std::span<const uint8_t> bytes, std::string_view what);
Image read_png_header(std::span<const uint8_t> bytes, std::string_view what);

// The two ways, for the test that compares them. nullopt: not of the simple kind.
std::optional<Image> decode_simple_png(std::span<const uint8_t> bytes, std::string_view what);
Image decode_any_png(std::span<const uint8_t> bytes, std::string_view what);

}  // namespace penstock::stages
