#include "stages/images/image_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "distributed/error.h"
#include "stages/images/file_kind.h"
#include "stages/images/image_format.h"
#include "stages/images/jpeg_codec.h"
#include "stages/images/png_codec.h"
#include "stages/images/tiff_codec.h"

namespace penstock::stages {
namespace {

constexpr const ImageFormat* formats[] = {&png_format, &jpeg_format, &tiff_format};

// "PNG, JPEG or TIFF"
std::string names_of_formats() {
  std::string names;
  for (size_t i = 0; i < std::size(formats); ++i) {
    if (i > 0) names += i + 1 == std::size(formats) ? " or " : ", ";
    names += formats[i]->name;
  }
  return names;
}

const ImageFormat& format_of(std::span<const uint8_t> bytes, std::string_view what) {
  for (const ImageFormat* format : formats) {
    if (format->begins(bytes)) return *format;
  }
  const auto begin = bytes.first(std::min(bytes.size(), bytes_that_tell));
  throw Error(ExitCode::data, fmt::format("{}: not a {} image {}", what, names_of_formats(), but_is(begin, what)));
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  return format_of(bytes, what).decode(bytes, what, page);
}

LabelsImage decode_labels_image(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  return format_of(bytes, what).decode_labels(bytes, what, page);
}

bool looks_like_image_name(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::any_of(std::begin(formats), std::end(formats), [&](const ImageFormat* format) {
    return std::find(format->extensions.begin(), format->extensions.end(), extension) != format->extensions.end();
  });
}

}  // namespace penstock::stages
