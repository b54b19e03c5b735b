#include "stages/images/tiff_pixels.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "stages/images/orientation.h"

namespace penstock::stages {
namespace {

static_assert(std::endian::native == std::endian::little, "24-bit values are read as libtiff leaves them");

// The tags that say how a directory's pixels are stored.
struct Layout {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, planes = PLANARCONFIG_CONTIG, photometric = PHOTOMETRIC_MINISBLACK;
  uint16_t format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE, orientation = ORIENTATION_TOPLEFT;
  uint16_t extras = 0, ink_set = INKSET_CMYK;
  bool alpha = false;  // the only extra sample is alpha
  bool has_photometric = false;

  bool apart() const { return planes == PLANARCONFIG_SEPARATE && samples > 1; }
  bool is_cmyk() const { return photometric == PHOTOMETRIC_SEPARATED && ink_set == INKSET_CMYK && samples >= 4; }
};

Layout layout_of(TIFF* tiff) {
  Layout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &layout.planes);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &layout.orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_INKSET, &layout.ink_set);
  layout.has_photometric = TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric) == 1;
  uint16_t* kinds = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &layout.extras, &kinds);
  const bool rgb_with_one = layout.photometric == PHOTOMETRIC_RGB && layout.samples == 4;
  if (layout.extras == 1 && kinds != nullptr) layout.alpha = kinds[0] != EXTRASAMPLE_UNSPECIFIED;
  // As every reader takes it, though the tag is missing.
  if (layout.extras == 0 && rgb_with_one) layout.alpha = true;
  return layout;
}

int colours_of(const Layout& layout) {
  switch (layout.photometric) {
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
      return 3;
    case PHOTOMETRIC_SEPARATED:
      return layout.is_cmyk() ? 4 : layout.samples;
    default:
      return 1;
  }
}

// What only libtiff's own conversion to 8-bit RGBA understands.
bool needs_conversion(const Layout& layout) {
  if (layout.compression == COMPRESSION_OJPEG) return true;
  switch (layout.photometric) {
    case PHOTOMETRIC_YCBCR:
      return layout.compression != COMPRESSION_JPEG || layout.apart();
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
      return true;
    default:
      return false;
  }
}

// The kind of value, and how many bits it has in memory. 16-bit floats become 32-bit ones.
void describe_values(const Layout& layout, RawPixels& raw, const TiffFile& file) {
  raw.depth = layout.bits;
  if (layout.format == SAMPLEFORMAT_IEEEFP) {
    raw.kind = ValueKind::real;
    raw.bits = layout.bits == 64 ? 64 : 32;
    if (layout.bits == 16 || layout.bits == 32 || layout.bits == 64) return;
  } else if (layout.format != SAMPLEFORMAT_COMPLEXIEEEFP && layout.format != SAMPLEFORMAT_COMPLEXINT) {
    const bool with_sign = layout.format == SAMPLEFORMAT_INT;
    raw.kind = with_sign ? ValueKind::signed_whole : ValueKind::whole;
    raw.bits = layout.bits <= 8 ? 8 : layout.bits <= 16 ? 16 : layout.bits <= 32 ? 32 : 64;
    if ((layout.bits >= 1 && layout.bits <= 16 && (!with_sign || layout.bits % 8 == 0)) || layout.bits == 32 ||
        layout.bits == 64 || (layout.bits == 24 && !with_sign)) {
      return;
    }
  }
  file.refuse(
      fmt::format("values of {} bits and sample format {} are not read; save it as 8-, 16- or 32-bit integers "
                  "or 32-bit floats",
                  layout.bits, layout.format));
}

// What a small file claims to hold is no reason to take much memory.
void check_memory(const RawPixels& raw, uint64_t bytes, const TiffFile& file) {
  constexpr uint64_t little = uint64_t{1} << 31, most_times = 2000;
  if (bytes > little && bytes / most_times > file.bytes().size()) {
    file.refuse(fmt::format("a file of {} bytes cannot hold {} x {} pixels of {} bits", file.bytes().size(), raw.width,
                            raw.height, raw.bits * raw.channels));
  }
}

float from_half(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float sign = half & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction != 0 ? std::nanf("") : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25));
}

// Values of 1 to 15 bits lie packed, the first in the highest bits; each row begins a byte.
template <typename T>
void unpack_bits(const uint8_t* in, size_t count, int bits, T* out, size_t stride) {
  uint32_t waiting = 0;
  int have = 0;
  for (size_t i = 0; i < count; ++i) {
    for (; have < bits; have += 8) waiting = waiting << 8 | *in++;
    have -= bits;
    out[i * stride] = static_cast<T>(waiting >> have & ((1u << bits) - 1));
  }
}

template <typename T>
void copy_values(const uint8_t* in, size_t count, T* out, size_t stride) {
  if (stride == 1) {
    std::memcpy(out, in, count * sizeof(T));
    return;
  }
  for (size_t i = 0; i < count; ++i) std::memcpy(&out[i * stride], in + i * sizeof(T), sizeof(T));
}

// `count` values of a row as libtiff gives them, to every `stride`th place of `out` (a place is raw.bits wide).
void unpack(const Layout& layout, const RawPixels& raw, const uint8_t* in, size_t count, uint8_t* out, size_t stride) {
  const int bits = layout.bits;
  if (raw.kind == ValueKind::real && bits == 16) {
    for (size_t i = 0; i < count; ++i) {
      uint16_t half;
      std::memcpy(&half, in + i * 2, 2);
      reinterpret_cast<float*>(out)[i * stride] = from_half(half);
    }
  } else if (bits == 24) {
    for (size_t i = 0; i < count; ++i)
      reinterpret_cast<uint32_t*>(out)[i * stride] = in[i * 3] | in[i * 3 + 1] << 8 | in[i * 3 + 2] << 16;
  } else if (bits == 8) {
    copy_values(in, count, out, stride);
  } else if (bits == 16) {
    copy_values(in, count, reinterpret_cast<uint16_t*>(out), stride);
  } else if (bits == 32) {
    copy_values(in, count, reinterpret_cast<uint32_t*>(out), stride);
  } else if (bits == 64) {
    copy_values(in, count, reinterpret_cast<uint64_t*>(out), stride);
  } else if (bits < 8) {
    unpack_bits(in, count, bits, out, stride);
  } else {
    unpack_bits(in, count, bits, reinterpret_cast<uint16_t*>(out), stride);
  }
}

// One strip or tile: `rows` rows of `row_bytes`, of which `columns` pixels are within the picture.
struct Block {
  const uint8_t* bytes;
  size_t row_bytes, rows, columns, x, y;
  int plane;
};

void place(const Layout& layout, RawPixels& raw, const Block& block) {
  const size_t value_bytes = raw.bits / 8, channels = raw.channels;
  const bool apart = layout.apart();
  for (size_t row = 0; row < block.rows; ++row) {
    const size_t at = ((block.y + row) * raw.width + block.x) * channels + (apart ? block.plane : 0);
    unpack(layout, raw, block.bytes + row * block.row_bytes, block.columns * (apart ? 1 : channels),
           raw.bytes.data() + at * value_bytes, apart ? channels : 1);
  }
}

// What one byte of a compressed strip or tile holds at most: PackBits repeats a byte 128 times in two; a code of LZW
// has 9 bits or more and stands for at most 4,093 bytes; deflate has 258 bytes in two bits (RFC 1951); a row of CCITT
// that is as the one above it takes a bit (ITU-T T.6).
struct Packing {
  uint16_t compression;
  uint64_t bytes, rows;
};
constexpr uint64_t no_limit = uint64_t{1} << 31;
constexpr Packing packings[] = {
    {COMPRESSION_PACKBITS, 64, no_limit},  {COMPRESSION_LZW, 4096, no_limit},
    {COMPRESSION_DEFLATE, 1032, no_limit}, {COMPRESSION_ADOBE_DEFLATE, 1032, no_limit},
    {COMPRESSION_CCITTRLE, no_limit, 8},   {COMPRESSION_CCITTRLEW, no_limit, 8},
    {COMPRESSION_CCITTFAX3, no_limit, 8},  {COMPRESSION_CCITTFAX4, no_limit, 8},
};

// A small file may claim many rows and have the bytes of a few: found out before memory is taken for all. `rows_of`: of
// the piece of that number.
template <typename RowsOf>
void require_pieces(TiffFile& file, const Layout& layout, uint32_t pieces, size_t row_bytes, const RowsOf& rows_of) {
  const auto packing = std::find_if(std::begin(packings), std::end(packings),
                                    [&](const Packing& one) { return one.compression == layout.compression; });
  for (uint32_t i = 0; i < pieces; ++i) {
    const uint64_t bytes = std::min<uint64_t>(TIFFGetStrileByteCount(file.handle(), i), file.bytes().size());
    if (bytes == 0) file.refuse(fmt::format("of its {} pieces, number {} has no bytes", pieces, i + 1));
    if (packing == std::end(packings)) continue;
    const uint64_t rows = rows_of(i);
    if (rows > bytes * packing->rows || rows * row_bytes > bytes * packing->bytes) {
      file.refuse(fmt::format("of its {} pieces, number {} has {} bytes, which cannot hold {} rows of {} bytes", pieces,
                              i + 1, bytes, rows, row_bytes));
    }
  }
}

void read_strips(TiffFile& file, const Layout& layout, RawPixels& raw) {
  TIFF* tiff = file.handle();
  uint32_t rows_per_strip = layout.height;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
  rows_per_strip = std::clamp<uint32_t>(rows_per_strip, 1, layout.height);
  const auto row_bytes = static_cast<size_t>(TIFFScanlineSize(tiff));
  const size_t wanted = (size_t{layout.bits} * layout.width * (layout.apart() ? 1 : layout.samples) + 7) / 8;
  if (row_bytes < wanted) file.refuse(fmt::format("a row has {} bytes, {} are needed", row_bytes, wanted));
  std::vector<uint8_t> buffer;
  const uint32_t strips = (layout.height + rows_per_strip - 1) / rows_per_strip;
  const auto rows_of = [&](uint32_t strip) {
    return std::min(rows_per_strip, layout.height - strip % strips * rows_per_strip);
  };
  require_pieces(file, layout, TIFFNumberOfStrips(tiff), row_bytes, rows_of);
  for (int plane = 0; plane < (layout.apart() ? layout.samples : 1); ++plane) {
    for (uint32_t strip = 0; strip < strips; ++strip) {
      const uint32_t y = strip * rows_per_strip, rows = rows_of(strip);
      const size_t size = row_bytes * rows;
      if (buffer.size() < size) buffer.resize(size);
      const uint32_t number = static_cast<uint32_t>(plane) * strips + strip;
      const auto got = TIFFReadEncodedStrip(tiff, number, buffer.data(), static_cast<tmsize_t>(size));
      if (got < 0 || static_cast<size_t>(got) != size) file.refuse(fmt::format("rows {} and on cannot be read", y));
      if (raw.bytes.empty()) raw.bytes.resize(raw.values() * (raw.bits / 8));  // not before something could be read
      place(layout, raw, {buffer.data(), row_bytes, rows, layout.width, 0, y, plane});
    }
  }
}

void read_tiles(TiffFile& file, const Layout& layout, RawPixels& raw) {
  TIFF* tiff = file.handle();
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  check_size(width, height, layout.apart() ? 1 : layout.samples, file.what() + ": a tile");
  const auto row_bytes = static_cast<size_t>(TIFFTileRowSize(tiff));
  const auto size = static_cast<size_t>(TIFFTileSize(tiff));
  const size_t wanted = (size_t{layout.bits} * width * (layout.apart() ? 1 : layout.samples) + 7) / 8;
  if (row_bytes < wanted || size < row_bytes * height) file.refuse("its tiles have no sound size");
  require_pieces(file, layout, TIFFNumberOfTiles(tiff), row_bytes, [height](uint32_t) { return height; });
  std::vector<uint8_t> buffer(size);
  for (int plane = 0; plane < (layout.apart() ? layout.samples : 1); ++plane) {
    for (uint32_t y = 0; y < layout.height; y += height) {
      for (uint32_t x = 0; x < layout.width; x += width) {
        const uint32_t tile = TIFFComputeTile(tiff, x, y, 0, static_cast<uint16_t>(plane));
        const auto got = TIFFReadEncodedTile(tiff, tile, buffer.data(), static_cast<tmsize_t>(size));
        if (got < 0 || static_cast<size_t>(got) != size)
          file.refuse(fmt::format("the tile at ({}, {}) cannot be read", x, y));
        if (raw.bytes.empty()) raw.bytes.resize(raw.values() * (raw.bits / 8));
        place(layout, raw,
              {buffer.data(), row_bytes, std::min(height, layout.height - y), std::min(width, layout.width - x), x, y,
               plane});
      }
    }
  }
}

// libtiff's own way to 8-bit RGBA; the alpha of what has none is left out.
void read_converted(TiffFile& file, const Layout& layout, RawPixels& raw) {
  const size_t pixels = size_t{layout.width} * layout.height;
  check_memory(raw, pixels * (sizeof(uint32_t) + 3), file);  // taken before anything is read
  std::vector<uint32_t> rgba(pixels);
  TIFFSetField(file.handle(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);  // turned later, all eight ways
  if (TIFFReadRGBAImageOriented(file.handle(), layout.width, layout.height, rgba.data(), ORIENTATION_TOPLEFT, 1) != 1)
    file.refuse("its pixels cannot be read");
  raw.kind = ValueKind::whole;
  raw.bits = raw.depth = 8;
  raw.channels = 3;
  raw.measured = false;
  raw.bytes.resize(pixels * 3);
  for (size_t i = 0; i < pixels; ++i) {
    raw.bytes[i * 3] = static_cast<uint8_t>(TIFFGetR(rgba[i]));
    raw.bytes[i * 3 + 1] = static_cast<uint8_t>(TIFFGetG(rgba[i]));
    raw.bytes[i * 3 + 2] = static_cast<uint8_t>(TIFFGetB(rgba[i]));
  }
}

// The colours of a palette in place of its indices.
void look_up(TiffFile& file, const Layout& layout, RawPixels& raw) {
  uint16_t* map[3] = {};
  if (layout.bits > 8 || raw.channels != 1 ||
      TIFFGetField(file.handle(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]) != 1) {
    file.refuse("it has no palette of at most 256 colours");
  }
  const size_t entries = size_t{1} << layout.bits;
  bool wide = false;  // 16 bits, as the specification has it; some write 8
  for (const uint16_t* colour : map) wide |= std::any_of(colour, colour + entries, [](uint16_t c) { return c > 255; });
  std::vector<uint8_t> colours(raw.bytes.size() * 3);
  for (size_t i = 0; i < raw.bytes.size(); ++i) {
    for (int c = 0; c < 3; ++c) colours[i * 3 + c] = static_cast<uint8_t>(map[c][raw.bytes[i]] >> (wide ? 8 : 0));
  }
  raw.bytes = std::move(colours);
  raw.channels = 3;
  raw.depth = 8;
}

template <typename T>
void inks_to_rgb(RawPixels& raw) {
  const auto* in = reinterpret_cast<const T*>(raw.bytes.data());
  const size_t pixels = static_cast<size_t>(raw.width) * raw.height;
  constexpr uint64_t most = std::numeric_limits<T>::max();
  std::vector<uint8_t> bytes(pixels * 3 * sizeof(T));
  auto* out = reinterpret_cast<T*>(bytes.data());
  for (size_t i = 0; i < pixels; ++i) {
    const T* ink = in + i * raw.channels;
    for (int c = 0; c < 3; ++c) out[i * 3 + c] = static_cast<T>(((most - ink[c]) * (most - ink[3]) + most / 2) / most);
  }
  raw.bytes = std::move(bytes);
  raw.channels = 3;
}

void turn_over(RawPixels& raw) {
  if (raw.kind != ValueKind::whole || raw.bits > 32) {
    raw.notes.emplace_back("its tag that 0 is white is not heeded");
    return;
  }
  if (raw.depth < raw.bits && raw.bits <= 16) {
    const uint32_t most = (1u << raw.depth) - 1;
    if (raw.bits == 8) {
      for (uint8_t& value : raw.bytes) value = static_cast<uint8_t>(most - value);
    } else {
      auto* values = reinterpret_cast<uint16_t*>(raw.bytes.data());
      for (size_t i = 0; i < raw.values(); ++i) values[i] = static_cast<uint16_t>(most - values[i]);
    }
    return;
  }
  for (uint8_t& byte : raw.bytes) byte = static_cast<uint8_t>(~byte);
}

void to_meaning(TiffFile& file, const Layout& layout, RawPixels& raw, bool as_labels) {
  if (layout.photometric == PHOTOMETRIC_PALETTE && as_labels)
    raw.palette = true;
  else if (layout.photometric == PHOTOMETRIC_PALETTE)
    look_up(file, layout, raw);
  else if (layout.photometric == PHOTOMETRIC_MINISWHITE && layout.has_photometric && !(as_labels && layout.bits > 8))
    turn_over(raw);
  if (layout.is_cmyk() && raw.channels >= 4) {
    if (raw.kind == ValueKind::whole && layout.bits == 8)
      inks_to_rgb<uint8_t>(raw);
    else if (raw.kind == ValueKind::whole && layout.bits == 16)
      inks_to_rgb<uint16_t>(raw);
    else
      file.refuse(fmt::format("CMYK of {} bits is not read", layout.bits));
  }
}

}  // namespace

RawPixels read_tiff_pixels(TiffFile& file, bool as_labels) {
  const Layout layout = layout_of(file.handle());
  check_size(layout.width, layout.height, layout.samples, file.what());
  if (layout.samples < 1 || layout.samples > max_channels)
    file.refuse(fmt::format("{} channels are refused (1 to {})", layout.samples, max_channels));
  RawPixels raw;
  raw.width = static_cast<int>(layout.width);
  raw.height = static_cast<int>(layout.height);
  raw.channels = layout.samples;
  const int colours = colours_of(layout);
  raw.measured = !(layout.is_cmyk() || layout.samples == colours || (layout.samples == colours + 1 && layout.alpha)) ||
                 (layout.photometric == PHOTOMETRIC_SEPARATED && !layout.is_cmyk());
  file.said();
  if (needs_conversion(layout)) {
    read_converted(file, layout, raw);
  } else {
    describe_values(layout, raw, file);
    check_memory(raw, uint64_t{raw.values()} * static_cast<uint64_t>(raw.bits / 8), file);
    if (layout.photometric == PHOTOMETRIC_YCBCR) TIFFSetField(file.handle(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    TIFFIsTiled(file.handle()) != 0 ? read_tiles(file, layout, raw) : read_strips(file, layout, raw);
    to_meaning(file, layout, raw, as_labels);
  }
  const TiffFile::Said said = file.said();
  if (!said.error.empty()) file.refuse(said.error);
  if (said.is_filled) file.refuse(said.warning);
  if (!said.warning.empty()) raw.notes.push_back(said.warning);
  turn_upright(raw.bytes, raw.width, raw.height, static_cast<size_t>(raw.channels) * (raw.bits / 8),
               layout.orientation);
  return raw;
}

}  // namespace penstock::stages
