#include "stages/images/tiff_codec.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

struct Cursor {
  std::span<const uint8_t> bytes;
  toff_t at = 0;
};

tmsize_t tiff_read(thandle_t handle, void* to, tmsize_t size) {
  auto& cursor = *static_cast<Cursor*>(handle);
  if (cursor.at >= cursor.bytes.size()) return 0;
  const size_t got = std::min<size_t>(static_cast<size_t>(size), cursor.bytes.size() - cursor.at);
  std::memcpy(to, cursor.bytes.data() + cursor.at, got);
  cursor.at += got;
  return static_cast<tmsize_t>(got);
}

toff_t tiff_seek(thandle_t handle, toff_t offset, int from) {
  auto& cursor = *static_cast<Cursor*>(handle);
  cursor.at = from == SEEK_SET ? offset : from == SEEK_CUR ? cursor.at + offset : cursor.bytes.size() + offset;
  return cursor.at;
}

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Tiff open_tiff(Cursor& cursor) {
  TIFFSetErrorHandler(nullptr);
  TIFFSetWarningHandler(nullptr);
  return {TIFFClientOpen(
              "memory", "rm", &cursor, tiff_read, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, tiff_seek,
              [](thandle_t) { return 0; },
              [](thandle_t handle) -> toff_t { return static_cast<Cursor*>(handle)->bytes.size(); }, nullptr, nullptr),
          TIFFClose};
}

// Rows of 8- or 16-bit grey or colour, as they are.
bool read_rows(TIFF* tiff, Image& image) {
  const size_t row = image.values() / image.height * (image.bits / 8);
  image.bytes.resize(row * image.height);
  if (static_cast<size_t>(TIFFScanlineSize(tiff)) != row) return false;
  for (int y = 0; y < image.height; ++y) {
    if (TIFFReadScanline(tiff, image.bytes.data() + y * row, static_cast<uint32_t>(y), 0) != 1) return false;
  }
  return true;
}

// Anything else that libtiff can turn into 8-bit RGBA: palettes, tiles, planes, bits.
bool read_rgba(TIFF* tiff, Image& image) {
  std::vector<uint32_t> pixels(static_cast<size_t>(image.width) * image.height);
  if (TIFFReadRGBAImageOriented(tiff, static_cast<uint32_t>(image.width), static_cast<uint32_t>(image.height),
                                pixels.data(), ORIENTATION_TOPLEFT, 1) != 1) {
    return false;
  }
  image.channels = 4;
  image.bits = 8;
  image.bytes.resize(pixels.size() * 4);
  std::memcpy(image.bytes.data(), pixels.data(), image.bytes.size());
  return true;
}

bool is_tiff(std::span<const uint8_t> bytes) {
  return bytes.size() > 8 && (std::memcmp(bytes.data(), "II*\0", 4) == 0 || std::memcmp(bytes.data(), "MM\0*", 4) == 0);
}

Image decode_tiff(std::span<const uint8_t> bytes, std::string_view what) {
  Cursor cursor{bytes};
  const Tiff tiff = open_tiff(cursor);
  if (!tiff) throw Error(ExitCode::data, fmt::format("{}: damaged TIFF: its directory cannot be read", what));
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, channels = 1, planes = PLANARCONFIG_CONTIG, photometric = 0, format = SAMPLEFORMAT_UINT;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, &channels);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_PLANARCONFIG, &planes);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetField(tiff.get(), TIFFTAG_PHOTOMETRIC, &photometric);
  const bool plain = (bits == 8 || bits == 16) && channels >= 1 && channels <= 4 && planes == PLANARCONFIG_CONTIG &&
                     format == SAMPLEFORMAT_UINT && TIFFIsTiled(tiff.get()) == 0 &&
                     (photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_RGB);
  Image image{static_cast<int>(width), static_cast<int>(height), plain ? channels : 4, plain ? bits : 8, {}};
  check_size(width, height, image.channels, what);
  if (!(plain ? read_rows(tiff.get(), image) : read_rgba(tiff.get(), image))) {
    throw Error(ExitCode::data,
                fmt::format("{}: damaged or unsupported TIFF ({} channels of {} bits)", what, channels, bits));
  }
  return image;
}

}  // namespace

const ImageFormat tiff_format = {"TIFF", {".tif", ".tiff"}, is_tiff, decode_tiff};

}  // namespace penstock::stages
