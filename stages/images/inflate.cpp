#include "stages/images/inflate.h"

#include <libdeflate.h>

#include <vector>

namespace penstock::stages {
namespace {

struct Decompressor {
  libdeflate_decompressor* state = libdeflate_alloc_decompressor();
  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { libdeflate_free_decompressor(state); }
};

}  // namespace

std::optional<Inflated> inflate_zlib(std::span<const uint8_t> stream, void* out, size_t room) {
  constexpr size_t behind = 64;  // more than the fast loop reads ahead
  static thread_local const Decompressor decompressor;
  static thread_local std::vector<uint8_t> padded;
  padded.assign(stream.begin(), stream.end());
  padded.resize(stream.size() + behind);
  Inflated inflated;
  const auto result = libdeflate_zlib_decompress_ex(decompressor.state, padded.data(), padded.size(), out, room,
                                                    &inflated.used, &inflated.size);
  if (result != LIBDEFLATE_SUCCESS || inflated.used > stream.size()) return std::nullopt;
  return inflated;
}

}  // namespace penstock::stages
