// SHA-256 of bytes, files and typed fields. A Digest is a value; a Hasher serves one thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace penstock::pipeline {

// 32 bytes; ordered bytewise. Written as 64 lower-case hex digits.
struct Digest {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const;
  uint64_t leading_bits() const;  // the first 8 bytes, big endian: uniform in [0, 2^64)

  // Throws Error(internal) when `hex` is not 64 lower-case hex digits.
  static Digest from_hex(std::string_view hex);
};

// Plain SHA-256 of what was added, in order.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& bytes(const void* data, size_t size);
  Hasher& bytes(std::string_view data) { return bytes(data.data(), data.size()); }

  // Typed, length-prefixed fields: ("ab", "c") and ("a", "bc") differ, as do 1 and 1.0 and "1".
  Hasher& field(std::string_view text);
  Hasher& field(const char* text) { return field(std::string_view(text)); }
  Hasher& field(bool value);
  Hasher& field(int64_t value);
  Hasher& field(int value) { return field(static_cast<int64_t>(value)); }
  Hasher& field(uint64_t value);
  Hasher& field(double value);  // by bits; NaN is refused
  Hasher& field(const Digest& digest);

  Digest finish();  // once; afterwards nothing may be added

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest digest_of(std::string_view bytes);
Digest digest_of(std::span<const std::string_view> pieces);  // concatenated

// Reads the file once. Throws Error(data) when it cannot be read or is no regular file, Error(io) on a read error,
// Error(interrupted) as throw_if_interrupted (interruption.h) does.
Digest digest_of_file(const std::filesystem::path& path);

}  // namespace penstock::pipeline
