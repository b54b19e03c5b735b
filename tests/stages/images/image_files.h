// Image files for tests, written by libtiff, libjpeg and libpng in every way that people keep them.
#pragma once

#include <tiffio.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>
// jpeglib.h uses stdio without including it.
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

namespace penstock::stages {

inline std::span<const uint8_t> span_of(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

template <typename T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// One page; `bytes` are rows as libtiff takes them: interleaved, or plane after plane where `apart`.
struct TiffPage {
  int width = 0, height = 0;
  std::vector<uint8_t> bytes;
  int samples = 1;
  int bits = 8;
  int format = SAMPLEFORMAT_UINT;
  int photometric = PHOTOMETRIC_MINISBLACK;
  int compression = COMPRESSION_NONE;
  int predictor = 0;
  bool apart = false;
  int tile = 0;  // side; 0: strips of four rows
  int orientation = 0;
  uint32_t kind = 0;  // NewSubfileType
  std::vector<uint16_t> extras = {};
  std::string description = {};
  std::function<void(TIFF*)> more = {};  // further tags
};

namespace tiff_memory {

struct Memory {
  std::string bytes;
  size_t at = 0;
};

inline TIFF* open(Memory& memory, const char* mode) {
  return TIFFClientOpen(
      "memory", mode, &memory,
      [](thandle_t handle, void* to, tmsize_t size) -> tmsize_t {
        auto& m = *static_cast<Memory*>(handle);
        if (m.at >= m.bytes.size()) return 0;
        const size_t got = std::min(static_cast<size_t>(size), m.bytes.size() - m.at);
        std::memcpy(to, m.bytes.data() + m.at, got);
        m.at += got;
        return static_cast<tmsize_t>(got);
      },
      [](thandle_t handle, void* from, tmsize_t size) -> tmsize_t {
        auto& m = *static_cast<Memory*>(handle);
        if (m.bytes.size() < m.at + static_cast<size_t>(size)) m.bytes.resize(m.at + static_cast<size_t>(size));
        std::memcpy(m.bytes.data() + m.at, from, static_cast<size_t>(size));
        m.at += static_cast<size_t>(size);
        return size;
      },
      [](thandle_t handle, toff_t offset, int from) -> toff_t {
        auto& m = *static_cast<Memory*>(handle);
        return m.at = offset + (from == SEEK_SET ? 0 : from == SEEK_CUR ? m.at : m.bytes.size());
      },
      [](thandle_t) { return 0; },
      [](thandle_t handle) -> toff_t { return static_cast<Memory*>(handle)->bytes.size(); }, nullptr, nullptr);
}

// The values of one tile at (x, y), rows of `pixel` bytes a pixel; beyond the picture zeros.
inline std::vector<uint8_t> tile_of(const TiffPage& page, const uint8_t* plane, int x, int y, size_t pixel) {
  const auto side = static_cast<size_t>(page.tile);
  std::vector<uint8_t> tile(side * side * pixel);
  for (int row = 0; row < page.tile && y + row < page.height; ++row) {
    const size_t columns = static_cast<size_t>(std::min(page.tile, page.width - x));
    std::memcpy(&tile[static_cast<size_t>(row) * side * pixel],
                plane + (static_cast<size_t>(y + row) * page.width + x) * pixel, columns * pixel);
  }
  return tile;
}

inline void write_pixels(TIFF* tiff, const TiffPage& page) {
  const int planes = page.apart ? page.samples : 1;
  const size_t plane_bytes = page.bytes.size() / static_cast<size_t>(planes);
  for (int plane = 0; plane < planes; ++plane) {
    const uint8_t* from = page.bytes.data() + plane_bytes * static_cast<size_t>(plane);
    if (page.tile == 0) {
      const size_t row = plane_bytes / static_cast<size_t>(page.height);
      for (int y = 0; y < page.height; ++y) {
        std::vector<uint8_t> line(from + row * y, from + row * (y + 1));
        TIFFWriteScanline(tiff, line.data(), static_cast<uint32_t>(y), static_cast<uint16_t>(plane));
      }
      continue;
    }
    const size_t pixel = plane_bytes / (static_cast<size_t>(page.width) * page.height);
    for (int y = 0; y < page.height; y += page.tile) {
      for (int x = 0; x < page.width; x += page.tile) {
        auto tile = tile_of(page, from, x, y, pixel);
        TIFFWriteTile(tiff, tile.data(), static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0,
                      static_cast<uint16_t>(plane));
      }
    }
  }
}

inline void write_page(TIFF* tiff, const TiffPage& page) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, page.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, page.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, page.bits);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, page.samples);
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, page.format);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, page.photometric);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, page.compression);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, page.apart ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  if (page.predictor > 0) TIFFSetField(tiff, TIFFTAG_PREDICTOR, page.predictor);
  if (page.orientation > 0) TIFFSetField(tiff, TIFFTAG_ORIENTATION, page.orientation);
  if (page.kind > 0) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, page.kind);
  if (!page.extras.empty())
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, static_cast<int>(page.extras.size()), page.extras.data());
  if (!page.description.empty()) TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, page.description.c_str());
  if (page.tile > 0) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, page.tile);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, page.tile);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, page.compression == COMPRESSION_JPEG ? 16 : 4);
  }
  if (page.more) page.more(tiff);
  write_pixels(tiff, page);
  TIFFWriteDirectory(tiff);
}

}  // namespace tiff_memory

// `mode`: "w" little endian as this machine is, "wb" big endian, "w8" BigTIFF.
inline std::string tiff_of(const std::vector<TiffPage>& pages, const char* mode = "w") {
  tiff_memory::Memory memory;
  TIFF* tiff = tiff_memory::open(memory, mode);
  for (const TiffPage& page : pages) tiff_memory::write_page(tiff, page);
  TIFFClose(tiff);
  return memory.bytes;
}

// Grey (1), RGB (3) or CMYK (4) samples; of CMYK, libjpeg writes Adobe's mark, with which 255 is no ink.
inline std::string jpeg_of(int width, int height, int channels, std::vector<uint8_t> bytes,
                           const std::string& exif = "", bool progressive = false) {
  jpeg_compress_struct state = {};
  jpeg_error_mgr errors = {};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &out, &size);
  state.image_width = static_cast<JDIMENSION>(width);
  state.image_height = static_cast<JDIMENSION>(height);
  state.input_components = channels;
  state.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 98, TRUE);
  if (progressive) jpeg_simple_progression(&state);
  jpeg_start_compress(&state, TRUE);
  if (!exif.empty()) {
    const std::string marker = std::string("Exif\0\0", 6) + exif;
    jpeg_write_marker(&state, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(marker.data()),
                      static_cast<unsigned>(marker.size()));
  }
  while (state.next_scanline < state.image_height) {
    JSAMPROW row = bytes.data() + static_cast<size_t>(state.next_scanline) * width * channels;
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  std::string file(reinterpret_cast<char*>(out), size);
  free(out);
  return file;
}

// A block of EXIF data with nothing but the orientation, big endian.
inline std::string exif_of(int orientation) {
  std::string block("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0", 26);
  block[19] = static_cast<char>(orientation);
  return block;
}

struct PngKind {
  int bits = 8, color = PNG_COLOR_TYPE_GRAY;
  bool interlaced = false;
  std::vector<png_color> palette = {};
  std::string exif = {};
};

// `rows`: as the file has them, packed, 16 bits big endian.
inline std::string png_of(int width, int height, std::vector<uint8_t> rows, const PngKind& kind) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp state, png_bytep bytes, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(state))->append(reinterpret_cast<const char*>(bytes), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), kind.bits, kind.color,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!kind.palette.empty()) png_set_PLTE(png, info, kind.palette.data(), static_cast<int>(kind.palette.size()));
  std::string exif = kind.exif;
  if (!exif.empty())
    png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), reinterpret_cast<png_bytep>(exif.data()));
  png_write_info(png, info);
  const size_t row = rows.size() / static_cast<size_t>(height);
  std::vector<png_bytep> lines;
  for (int y = 0; y < height; ++y) lines.push_back(rows.data() + row * static_cast<size_t>(y));
  png_write_image(png, lines.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace penstock::stages
