#include "stages/images/image_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "distributed/error.h"
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

// The first bytes, readable.
std::string beginning_of(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return "it is empty";
  std::string begin;
  for (const uint8_t byte : bytes.first(std::min<size_t>(bytes.size(), 12))) {
    begin += byte >= 0x20 && byte < 0x7f ? std::string(1, static_cast<char>(byte)) : fmt::format("\\x{:02x}", byte);
  }
  return "begins with \"" + begin + "\"";
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, std::string_view what) {
  for (const ImageFormat* format : formats) {
    if (format->begins(bytes)) return format->decode(bytes, what);
  }
  throw Error(ExitCode::data, fmt::format("{}: not a {} image ({})", what, names_of_formats(), beginning_of(bytes)));
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
