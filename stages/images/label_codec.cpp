#include "stages/images/label_codec.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {

static_assert(std::endian::native == std::endian::little, "label maps are stored as they lie in memory");

int LabelMap::objects() const { return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()); }

std::vector<uint8_t> encode_labels(const LabelMap& map) {
  PENSTOCK_CHECK(map.height > 0 && map.width > 0 && map.labels.size() == static_cast<size_t>(map.height) * map.width,
                 fmt::format("a label map has one value for each pixel: {} x {} pixels, {} values", map.width,
                             map.height, map.labels.size()));
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> state(
      libdeflate_alloc_compressor(3), libdeflate_free_compressor);
  const size_t size = map.labels.size() * sizeof(uint16_t);
  std::vector<uint8_t> packed(libdeflate_zlib_compress_bound(state.get(), size));
  packed.resize(libdeflate_zlib_compress(state.get(), map.labels.data(), size, packed.data(), packed.size()));
  return packed;
}

LabelMap decode_labels(std::span<const uint8_t> bytes, int height, int width, std::string_view what) {
  PENSTOCK_CHECK(height > 0 && width > 0,
                 fmt::format("the size of {}'s label map is positive, is {} x {}", what, width, height));
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> state(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  LabelMap map{height, width, std::vector<uint16_t>(static_cast<size_t>(height) * width)};
  const size_t size = map.labels.size() * sizeof(uint16_t);
  size_t got = 0;
  if (libdeflate_zlib_decompress(state.get(), bytes.data(), bytes.size(), map.labels.data(), size, &got) !=
          LIBDEFLATE_SUCCESS ||
      got != size) {
    throw Error(ExitCode::data,
                fmt::format("{}: its label map is damaged: it does not unpack to {} x {} values", what, width, height));
  }
  return map;
}

}  // namespace penstock::stages
