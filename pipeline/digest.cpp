#include "pipeline/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <vector>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/interruption.h"
#include "pipeline/tree_walk.h"

namespace penstock::pipeline {

std::string Digest::hex() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(2 * bytes.size(), '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  return text;
}

uint64_t Digest::leading_bits() const {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

Digest Digest::from_hex(std::string_view hex) {
  const auto nibble = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  PENSTOCK_CHECK(hex.size() == 64, "a digest has 64 hex digits, is '" + std::string(hex) + "'");
  Digest digest;
  for (size_t i = 0; i < digest.bytes.size(); ++i) {
    const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
    PENSTOCK_CHECK(high >= 0 && low >= 0, "a digest has lower-case hex digits only, is '" + std::string(hex) + "'");
    digest.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::array<uint8_t, 512> waiting;  // short fields, gathered: a call into the library costs more than hashing one
  size_t used = 0;
  bool finished = false;

  void flush() {
    PENSTOCK_CHECK(!finished, "a hasher that has given its digest takes no more bytes");
    EVP_DigestUpdate(context, waiting.data(), used);
    used = 0;
  }
  State() {
    static EVP_MD* const sha256 =
        EVP_MD_fetch(nullptr, "SHA256", nullptr);  // once: looking it up costs more than a short hash
    PENSTOCK_CHECK(sha256 != nullptr && EVP_DigestInit_ex2(context, sha256, nullptr) == 1, "libcrypto has SHA-256");
  }
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::bytes(const void* data, size_t size) {
  if (size == 0) return *this;  // of nothing there may be no address
  State& state = *state_;
  if (state.used + size > state.waiting.size()) state.flush();
  if (size > state.waiting.size()) {
    EVP_DigestUpdate(state.context, data, size);
  } else {
    std::memcpy(state.waiting.data() + state.used, data, size);
    state.used += size;
  }
  return *this;
}

namespace {

// A field is its type's letter, its length where that varies, and its bytes, numbers little endian.
void tagged(Hasher& hasher, char tag, uint64_t value) {
  char bytes[9] = {tag};
  for (int i = 0; i < 8; ++i) bytes[i + 1] = static_cast<char>(value >> (8 * i));
  hasher.bytes(bytes, sizeof bytes);
}

struct Closing {
  int file;
  ~Closing() { close(file); }
};

}  // namespace

Hasher& Hasher::field(std::string_view text) {
  tagged(*this, 's', text.size());
  return bytes(text);
}
Hasher& Hasher::field(bool value) { return tagged(*this, 'b', value), *this; }
Hasher& Hasher::field(int64_t value) { return tagged(*this, 'i', static_cast<uint64_t>(value)), *this; }
Hasher& Hasher::field(uint64_t value) { return tagged(*this, 'u', value), *this; }
Hasher& Hasher::field(double value) {
  PENSTOCK_CHECK(!std::isnan(value), "a number in a key is not NaN");
  return tagged(*this, 'd', std::bit_cast<uint64_t>(value)), *this;
}
Hasher& Hasher::field(const Digest& digest) {
  bytes("h", 1);
  return bytes(digest.bytes.data(), digest.bytes.size());
}

Digest Hasher::finish() {
  Digest digest;
  unsigned size = 0;
  state_->flush();
  state_->finished = true;
  EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &size);
  return digest;
}

Digest digest_of(std::string_view bytes) { return Hasher().bytes(bytes).finish(); }

Digest digest_of(std::span<const std::string_view> pieces) {
  Hasher hasher;
  for (const std::string_view piece : pieces) hasher.bytes(piece);
  return hasher.finish();
}

Digest digest_of_file(const std::filesystem::path& path) {
  require_regular_file(path);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw Error(ExitCode::data, path.string() + ": cannot be read: " + std::strerror(errno));
  const Closing closing{file};
  Hasher hasher;
  std::vector<char> part(size_t{1} << 18);
  ssize_t got;
  while ((got = read(file, part.data(), part.size())) > 0) {
    hasher.bytes(part.data(), static_cast<size_t>(got));
    throw_if_interrupted(path);
  }
  const int problem = errno;
  if (got < 0) throw Error(ExitCode::io, path.string() + ": read error: " + std::strerror(problem));
  return hasher.finish();
}

}  // namespace penstock::pipeline
