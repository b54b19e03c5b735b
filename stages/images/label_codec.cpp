#include "stages/images/label_codec.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/images/inflate.h"

namespace penstock::stages {

static_assert(std::endian::native == std::endian::little, "label maps are stored as they lie in memory");

int LabelMap::objects() const {
  return labels.empty() ? 0 : static_cast<int>(*std::max_element(labels.begin(), labels.end()));
}

std::vector<uint16_t> narrow_labels(std::span<const Label> labels) {
  std::vector<uint16_t> narrow;
  narrow.reserve(labels.size());
  Label most = 0;
  for (const Label label : labels) {
    most = std::max(most, label);
    narrow.push_back(static_cast<uint16_t>(label));
  }
  PENSTOCK_CHECK(most <= most_narrow_label, fmt::format("object {} has no number of 16 bits", most));
  return narrow;
}

std::vector<uint8_t> encode_labels(const LabelMap& map) {
  PENSTOCK_CHECK(map.height > 0 && map.width > 0 && map.labels.size() == static_cast<size_t>(map.height) * map.width,
                 fmt::format("a label map has one value for each pixel: {} x {} pixels, {} values", map.width,
                             map.height, map.labels.size()));
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> state(
      libdeflate_alloc_compressor(3), libdeflate_free_compressor);
  const bool wide = static_cast<Label>(map.objects()) > most_narrow_label;
  const std::vector<uint16_t> narrow = wide ? std::vector<uint16_t>() : narrow_labels(map.labels);
  const void* values = wide ? static_cast<const void*>(map.labels.data()) : narrow.data();
  const size_t size = map.labels.size() * (wide ? sizeof(Label) : sizeof(uint16_t));
  std::vector<uint8_t> packed(libdeflate_zlib_compress_bound(state.get(), size));
  packed.resize(libdeflate_zlib_compress(state.get(), values, size, packed.data(), packed.size()));
  return packed;
}

LabelMap decode_labels(std::span<const uint8_t> bytes, int height, int width, std::string_view what) {
  PENSTOCK_CHECK(height > 0 && width > 0,
                 fmt::format("the size of {}'s label map is positive, is {} x {}", what, width, height));
  LabelMap map{height, width, std::vector<Label>(static_cast<size_t>(height) * width)};
  const size_t pixels = map.labels.size();
  const auto inflated = inflate_zlib(bytes, map.labels.data(), pixels * sizeof(Label));
  const size_t got = inflated ? inflated->size : 0;
  if (got != pixels * sizeof(uint16_t) && got != pixels * sizeof(Label)) {
    throw Error(ExitCode::data,
                fmt::format("{}: its label map is damaged: it does not unpack to {} x {} values", what, width, height));
  }
  if (got == pixels * sizeof(Label)) return map;
  std::vector<uint16_t> narrow(pixels);
  std::memcpy(narrow.data(), map.labels.data(), got);
  std::copy(narrow.begin(), narrow.end(), map.labels.begin());
  return map;
}

}  // namespace penstock::stages
