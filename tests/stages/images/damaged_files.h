// Small files of each format, and ways to damage them: for tests that read what anyone may have written.
#pragma once

#include <string>
#include <vector>

#include "stages/draws.h"
#include "stages/images/image_files.h"

namespace penstock::stages {

inline std::vector<uint8_t> pixels(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * 31 ^ i >> 3);
  return bytes;
}

inline std::vector<std::string> tiffs() {
  std::vector<std::string> files;
  const int compressions[] = {COMPRESSION_NONE, COMPRESSION_LZW,  COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS,
                              COMPRESSION_ZSTD, COMPRESSION_JPEG, COMPRESSION_CCITTFAX4};
  for (const int compression : compressions) {
    TiffPage page{32, 16, pixels(32 * 16 * 3)};
    page.samples = 3;
    page.photometric = PHOTOMETRIC_RGB;
    page.compression = compression;
    if (compression == COMPRESSION_CCITTFAX4) {
      page.samples = page.bits = 1;
      page.bytes = pixels(4 * 16);
      page.photometric = PHOTOMETRIC_MINISWHITE;
    }
    files.push_back(tiff_of({page}, compression == COMPRESSION_LZW ? "w8" : "w"));
    page.tile = 16;
    page.apart = compression == COMPRESSION_NONE;
    if (compression != COMPRESSION_CCITTFAX4) files.push_back(tiff_of({page}, "wb"));
  }
  TiffPage real{16, 8, pixels(16 * 8 * 4)};
  real.bits = 32;
  real.format = SAMPLEFORMAT_IEEEFP;
  real.description = "ImageJ=1.53t\nimages=4\nchannels=2\nslices=2\n";
  files.push_back(tiff_of({real, real, real, real}));
  real.description = "<OME><Image><Pixels DimensionOrder=\"XYCZT\" SizeC=\"2\" SizeZ=\"1\" SizeT=\"1\"/></Image></OME>";
  files.push_back(tiff_of({real, real}));
  real.description = "{\"shape\": [2, 8, 16], \"axes\": \"CYX\"}";
  files.push_back(tiff_of({real, real}));
  return files;
}

inline std::vector<std::string> pngs() {
  return {png_of(32, 16, pixels(32 * 16), {.exif = exif_of(6)}),
          png_of(32, 16, pixels(32 * 16 * 2), {.bits = 16, .interlaced = true}),
          png_of(32, 16, std::vector<uint8_t>(32 * 16), {.color = PNG_COLOR_TYPE_PALETTE, .palette = {{1, 2, 3}}}),
          png_of(32, 16, pixels(4 * 16), {.bits = 1})};
}

inline std::vector<std::string> jpegs() {
  return {jpeg_of(32, 16, 1, pixels(32 * 16)), jpeg_of(32, 16, 3, pixels(32 * 16 * 3), exif_of(5)),
          jpeg_of(32, 16, 4, pixels(32 * 16 * 4)), jpeg_of(32, 16, 3, pixels(32 * 16 * 3), "", true)};
}

// One to six edits: a byte set, bits flipped, a number made large, a piece cut out or doubled, or the end cut off.
inline std::string mutated(std::string file, int64_t seed) {
  const Draws draws(seed, "mutation");
  uint64_t n = 0;
  const auto draw = [&](uint64_t below) { return draws.bits(n++) % below; };
  for (uint64_t edits = 1 + draw(6); edits > 0 && file.size() > 16; --edits) {
    // Half of the edits hit the first bytes, where the headers are.
    const size_t at = draw(2) == 0 ? draw(std::min<size_t>(file.size(), 200)) : draw(file.size());
    switch (draw(6)) {
      case 0:
        file[at] = static_cast<char>(draw(256));
        break;
      case 1:
        file[at] = static_cast<char>(file[at] ^ 1 << draw(8));
        break;
      case 2:
        for (size_t i = at; i < std::min(at + 4, file.size()); ++i) file[i] = static_cast<char>(draw(2) ? 0xff : 0x7f);
        break;
      case 3:
        file.erase(at, draw(9));
        break;
      case 4:
        file.insert(at, file.substr(at, draw(40)));
        break;
      default:
        if (draw(3) == 0) file.resize(16 + draw(file.size() - 16));
    }
  }
  return file;
}

// The sum of every checksum of a PNG is made right again, so that its decoder sees what was changed.
inline std::string with_checksums(std::string png) {
  for (size_t at = 8; at + 12 <= png.size();) {
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(png[at + i])); };
    const size_t length = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
    if (length > png.size() - at - 12) break;
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(&png[at + 4]), static_cast<uInt>(length + 4));
    for (size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<char>(sum >> (24 - i * 8));
    at += length + 12;
  }
  return png;
}

}  // namespace penstock::stages
