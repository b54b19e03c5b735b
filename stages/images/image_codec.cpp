#include "stages/images/image_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/images/file_kind.h"
#include "stages/images/image_limits.h"
#include "stages/images/jpeg_tiff_codec.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

[[noreturn]] void not_an_image(std::span<const uint8_t> bytes, std::string_view what) {
  const auto begin = bytes.first(std::min(bytes.size(), bytes_that_tell));
  throw Error(ExitCode::data, fmt::format("{}: not a PNG, JPEG or TIFF image {}", what, but_is(begin, what)));
}

}  // namespace

void check_size(int64_t width, int64_t height, int channels, std::string_view what) {
  if (width < 1 || height < 1 || width > max_side || height > max_side ||
      static_cast<uint64_t>(width) * static_cast<uint64_t>(height) * static_cast<uint64_t>(channels) > max_values) {
    throw Error(ExitCode::data,
                fmt::format("{}: an image of {} x {} pixels with {} channels is refused (1 to {} a side, {} values)",
                            what, width, height, channels, max_side, max_values));
  }
}

Image decode_image(std::span<const uint8_t> bytes, std::string_view what) {
  if (is_png(bytes)) return decode_png(bytes, what);
  if (is_jpeg(bytes)) return decode_jpeg(bytes, what, false);
  if (is_tiff(bytes)) return decode_tiff(bytes, what, false);
  not_an_image(bytes, what);
}

Image read_image_header(std::span<const uint8_t> bytes, std::string_view what) {
  if (is_png(bytes)) return read_png_header(bytes, what);
  if (is_jpeg(bytes)) return decode_jpeg(bytes, what, true);
  if (is_tiff(bytes)) return decode_tiff(bytes, what, true);
  not_an_image(bytes, what);
}

Image to_8_bit(Image image) {
  if (image.bits == 8) return image;
  const auto* wide = reinterpret_cast<const uint16_t*>(image.bytes.data());
  std::vector<uint8_t> narrow(image.values());
  for (size_t i = 0; i < narrow.size(); ++i) narrow[i] = static_cast<uint8_t>((wide[i] + 128) / 257);
  image.bytes = std::move(narrow);
  image.bits = 8;
  return image;
}

Image to_channels(const Image& image, int channels) {
  PENSTOCK_CHECK(image.bits == 8 && (channels == 1 || channels == 3), "samples are 8-bit with 1 or 3 channels");
  Image result{image.width, image.height, channels, 8, {}};
  const bool grey = image.channels <= 2;
  if (image.channels == channels) return image;
  result.bytes.resize(result.values());
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* in = &image.bytes[i * image.channels];
    uint8_t* out = &result.bytes[i * channels];
    if (channels == 3) {
      for (int c = 0; c < 3; ++c) out[c] = in[grey ? 0 : c];
    } else {
      out[0] = grey ? in[0] : static_cast<uint8_t>((299 * in[0] + 587 * in[1] + 114 * in[2] + 500) / 1000);
    }
  }
  return result;
}

bool looks_like_image_name(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  constexpr std::array known = {".png", ".jpg", ".jpeg", ".tif", ".tiff"};
  return std::find(known.begin(), known.end(), extension) != known.end();
}

}  // namespace penstock::stages
