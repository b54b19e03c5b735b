// JPEG through libjpeg-turbo, TIFF (first page) through libtiff.
#pragma once

#include <span>
#include <string_view>

#include "stages/images/image_codec.h"

namespace penstock::stages {

bool is_jpeg(std::span<const uint8_t> bytes);
bool is_tiff(std::span<const uint8_t> bytes);
// With `header_only`, the pixels are not decoded.
Image decode_jpeg(std::span<const uint8_t> bytes, std::string_view what, bool header_only);
Image decode_tiff(std::span<const uint8_t> bytes, std::string_view what, bool header_only);

}  // namespace penstock::stages
