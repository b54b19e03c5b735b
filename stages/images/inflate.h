// Deflate in zlib's wrapping (RFC 1950), unpacked in one go with libdeflate. Any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace penstock::stages {

// Bytes that an output should have behind what is expected of it. libdeflate unpacks all but the last 40 bytes of the
// input and the last 300 of the output in its fast loop, and the rest byte by byte: of a mask, whose rows are runs of
// zeros, 40 bytes of input are most of the picture.
inline constexpr size_t inflate_slack = 320;

struct Inflated {
  size_t used = 0;  // bytes of the stream, which may have others behind its end
  size_t size = 0;  // bytes written
};

// Into the `room` bytes at `out`. nullopt: the stream is damaged, or too long for that.
std::optional<Inflated> inflate_zlib(std::span<const uint8_t> stream, void* out, size_t room);

}  // namespace penstock::stages
