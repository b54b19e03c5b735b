// What a format of image files is. A new format: a codec file that defines one of these, and a row in image_codec.cpp
// (and its library in CMakeLists.txt).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "stages/images/image.h"
#include "stages/images/labels_image.h"
#include "stages/images/page_choice.h"

namespace penstock::stages {

struct ImageFormat {
  std::string_view name;                       // for messages: "PNG"
  std::array<std::string_view, 2> extensions;  // of file names, lower case: ".jpg", ".jpeg"; "" where there is none
  // Whether a file begins like one of this format.
  bool (*begins)(std::span<const uint8_t> bytes);
  // Throw Error(data) beginning with `what` when the file is damaged, too large (check_size), or `page` does not fit it
  // (check_page, check_one_page; a format without pages has one).
  Image (*decode)(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page);
  LabelsImage (*decode_labels)(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page);
};

}  // namespace penstock::stages
