#include "stages/images/png_codec.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <png.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "stages/images/inflate.h"
#include "stages/images/orientation.h"
#include "stages/images/png_filters.h"
#include "stages/images/png_writer.h"

namespace penstock::stages {
namespace {

constexpr uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

[[noreturn]] void refuse(std::string_view what, std::string_view fault) {
  throw Error(ExitCode::data, fmt::format("{}: {}", what, fault));
}

uint32_t big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

struct Header {
  uint32_t width, height;
  int bits, color, interlace;
};

// Channels of a PNG colour type without a palette; 0 for others.
int channels_of(int color) { return color == 0 ? 1 : color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 0; }

struct Chunks {
  Header header = {};
  std::vector<std::span<const uint8_t>> data;  // IDAT, in order
  bool transparency = false;                   // tRNS: libpng makes an alpha channel of it
  int orientation = upright;                   // eXIf
  std::vector<std::string> notes;
};

// Small letters: a reader may do without it.
bool is_ancillary(std::string_view type) { return (type[0] & 0x20) != 0; }

// Walks the chunks and checks each one's CRC. One that is not needed and damaged is passed over, as libpng does.
Chunks walk(std::span<const uint8_t> bytes, std::string_view what) {
  Chunks chunks;
  size_t at = sizeof signature;
  for (bool first = true;; first = false) {
    if (bytes.size() < at + 12) refuse(what, "truncated PNG");
    const uint32_t length = big_endian(&bytes[at]);
    if (length > bytes.size() - at - 12) refuse(what, "truncated PNG");
    const std::string_view type(reinterpret_cast<const char*>(&bytes[at + 4]), 4);
    const uint8_t* body = &bytes[at + 8];
    const bool sound = libdeflate_crc32(0, &bytes[at + 4], length + 4) == big_endian(body + length);
    if (!sound && (first || !is_ancillary(type)))
      refuse(what, fmt::format("damaged PNG: the checksum of chunk {} is wrong", distributed::printable_name(type)));
    if (!sound) {
      chunks.notes.push_back(
          fmt::format("the checksum of chunk {} is wrong: it is left out", distributed::printable_name(type)));
    } else if (first) {
      if (type != "IHDR" || length != 13) refuse(what, "damaged PNG: it does not begin with IHDR");
      chunks.header = {big_endian(body), big_endian(body + 4), body[8], body[9], body[12]};
    } else if (type == "IDAT") {
      chunks.data.emplace_back(body, length);
    } else if (type == "tRNS") {
      chunks.transparency = true;
    } else if (type == "eXIf") {
      chunks.orientation = orientation_in_exif({body, length});
    } else if (type == "IEND") {
      return chunks;
    }
    at += size_t{length} + 12;
  }
}

// Deflate unpacks to at most 1032 times the size: what a header asks for beyond that is no reason to take memory.
void check_data(const Chunks& chunks, std::string_view what) {
  constexpr uint64_t most_times = 1032, small = uint64_t{64} << 20;
  const Header& header = chunks.header;
  uint64_t packed = 0;
  for (const auto& part : chunks.data) packed += part.size();
  const uint64_t bits =
      static_cast<uint64_t>(header.bits) * static_cast<uint64_t>(std::max(channels_of(header.color), 1));
  if (uint64_t{header.width} * header.height <= small ||
      uint64_t{header.width} * bits / 8 * header.height <= packed * most_times)
    return;
  if (header.width > max_side || header.height > max_side) return;  // refused as too large
  refuse(what,
         fmt::format("damaged PNG: {} bytes of data cannot hold {} x {} pixels", packed, header.width, header.height));
}

bool all_zero(const uint8_t* bytes, size_t size) {
  return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

// The pixels of a PNG of 8 bits that is not interlaced and has neither palette nor transparent colour. nullopt for
// others, and where its data are not exactly the rows: libpng says what that is.
std::optional<Image> read_simple(const Chunks& chunks, std::string_view what) {
  const int channels = channels_of(chunks.header.color);
  if (chunks.header.bits != 8 || chunks.header.interlace != 0 || channels == 0 || chunks.transparency)
    return std::nullopt;
  check_size(chunks.header.width, chunks.header.height, channels, what);

  std::vector<uint8_t> joined;
  std::span<const uint8_t> stream;
  if (chunks.data.size() == 1) {
    stream = chunks.data.front();
  } else {
    for (const auto& part : chunks.data) joined.insert(joined.end(), part.begin(), part.end());
    stream = joined;
  }
  const size_t row = static_cast<size_t>(chunks.header.width) * channels;
  const size_t size = (row + 1) * chunks.header.height;
  const auto filtered = std::make_unique_for_overwrite<uint8_t[]>(size + inflate_slack);
  const auto inflated = inflate_zlib(stream, filtered.get(), size + inflate_slack);
  if (!inflated || inflated->size != size || inflated->used != stream.size()) return std::nullopt;

  Image image{static_cast<int>(chunks.header.width), static_cast<int>(chunks.header.height), channels, 8, {}};
  image.bytes.resize(row * chunks.header.height);
  const std::vector<uint8_t> zeros(row);
  bool zero_above = true;
  for (size_t y = 0; y < chunks.header.height; ++y) {
    const uint8_t* in = &filtered[y * (row + 1)];
    uint8_t* out = image.bytes.data() + y * row;
    // Nothing but zeros below zeros stays that with every filter, and the image is made of them: most rows of most
    // masks.
    if (zero_above && in[0] <= last_filter && all_zero(in + 1, row)) continue;
    if (!unfilter(in[0], in + 1, y == 0 ? zeros.data() : out - row, out, row, static_cast<size_t>(channels))) {
      refuse(what, fmt::format("damaged PNG: row {} has the unknown filter {}", y, in[0]));
    }
    zero_above = all_zero(out, row);
  }
  return image;
}

// libpng with its state freed on every way out; its errors become Error, its warnings notes.
class PngReader {
 public:
  PngReader(std::span<const uint8_t> bytes, std::string_view what) : rest_(bytes), what_(what) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, warn);
    info_ = png_create_info_struct(png_);
    png_set_user_limits(png_, max_side, max_side);
    png_set_benign_errors(png_, 1);  // what every viewer reads is a warning
    png_set_read_fn(png_, this, read);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // `as_stored`: numbers of less than 8 bits and indices of a palette stay what they are, one a byte.
  Image decode(bool as_stored) {
    png_read_info(png_, info_);
    as_stored ? png_set_packing(png_) : png_set_expand(png_);
    if (png_get_bit_depth(png_, info_) == 16) png_set_swap(png_);  // PNG is big endian
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    Image image{static_cast<int>(png_get_image_width(png_, info_)),
                static_cast<int>(png_get_image_height(png_, info_)),
                png_get_channels(png_, info_),
                png_get_bit_depth(png_, info_) == 16 ? 16 : 8,
                {}};
    check_size(image.width, image.height, image.channels, what_);
    const size_t row = png_get_rowbytes(png_, info_);
    image.bytes.resize(row * image.height);
    std::vector<png_bytep> rows;
    for (int y = 0; y < image.height; ++y) rows.push_back(image.bytes.data() + y * row);
    png_read_image(png_, rows.data());
    png_read_end(png_, nullptr);
    if (!warning_.empty()) image.notes.emplace_back("PNG: " + distributed::printable_name(warning_));
    return image;
  }

 private:
  static PngReader& of(png_structp png) { return *static_cast<PngReader*>(png_get_error_ptr(png)); }
  static void fail(png_structp png, png_const_charp message) {
    refuse(of(png).what_, "damaged PNG: " + distributed::printable_name(message));
  }
  static void warn(png_structp png, png_const_charp message) {
    if (of(png).warning_.empty()) of(png).warning_ = message;
  }
  static void read(png_structp png, png_bytep to, size_t size) {
    auto& rest = static_cast<PngReader*>(png_get_io_ptr(png))->rest_;
    if (size > rest.size()) png_error(png, "it is truncated");
    std::copy_n(rest.begin(), size, to);
    rest = rest.subspan(size);
  }

  std::span<const uint8_t> rest_;
  std::string_view what_;
  std::string warning_;
  png_structp png_;
  png_infop info_;
};

// What the walk over the chunks found: notes, and which way up.
void finish(Image& image, const Chunks& chunks) {
  if (!chunks.notes.empty()) image.notes = chunks.notes;  // libpng says the same in other words
  turn_upright(image.bytes, image.width, image.height, static_cast<size_t>(image.channels) * (image.bits / 8),
               chunks.orientation);
}

bool is_png(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof signature && std::equal(std::begin(signature), std::end(signature), bytes.begin());
}

Image decode_png(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  if (page.how == PageChoice::How::one) check_page(page.number, 1, what);
  const Chunks chunks = walk(bytes, what);
  check_data(chunks, what);
  auto simple = read_simple(chunks, what);
  Image image = simple ? std::move(*simple) : decode_any_png(bytes, what);
  finish(image, chunks);
  return image;
}

LabelsImage decode_png_labels(std::span<const uint8_t> bytes, std::string_view what, const PageChoice&) {
  const Chunks chunks = walk(bytes, what);
  check_data(chunks, what);
  const bool palette = chunks.header.color == PNG_COLOR_TYPE_PALETTE;
  auto simple = palette ? std::nullopt : read_simple(chunks, what);
  Image image = simple ? std::move(*simple) : PngReader(bytes, what).decode(true);
  finish(image, chunks);
  LabelsImage labels = labels_from(image, what);
  labels.bits = chunks.header.bits;
  labels.palette = palette;
  return labels;
}

}  // namespace

std::optional<Image> decode_simple_png(std::span<const uint8_t> bytes, std::string_view what) {
  return read_simple(walk(bytes, what), what);
}

Image decode_any_png(std::span<const uint8_t> bytes, std::string_view what) {
  return PngReader(bytes, what).decode(false);
}

const ImageFormat png_format = {"PNG", {".png"}, is_png, decode_png, decode_png_labels};

std::string encode_png(const Image& image) {
  check_whole(image);
  std::string file;
  PngWriter png({image.width, image.height, image.channels, image.bits},
                [&file](std::string_view bytes) { file.append(bytes); });
  const size_t row = image.values() / image.height * (image.bits / 8);
  for (int y = 0; y < image.height; ++y) png.add_row(std::span(image.bytes).subspan(y * row, row));
  png.finish();
  return file;
}

}  // namespace penstock::stages
