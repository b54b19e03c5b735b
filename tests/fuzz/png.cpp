// A PNG, as it is and with the checksums of its chunks made right; and rows of pixels with their filters, wrapped into
// a PNG, which both ways of decoding must read alike.
#include <optional>

#include "fuzz/pictures.h"
#include "stages/images/damaged_files.h"
#include "stages/images/png_codec.h"

namespace penstock::fuzz {
namespace {

std::string big_endian(uint32_t value) {
  std::string text(4, '\0');
  for (int i = 0; i < 4; ++i) text[static_cast<size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
  return text;
}

std::string chunk(const std::string& type, const std::string& body) {
  return big_endian(static_cast<uint32_t>(body.size())) + type + body + big_endian(0);
}

// 1 to 32 pixels a row, of as many rows as there are bytes for, each with its filter before it.
std::optional<std::string> png_of_rows(std::string_view input) {
  constexpr uint8_t colours[] = {0, 2, 4, 6};  // grey, RGB, grey and RGB with alpha
  constexpr size_t channels[] = {1, 3, 2, 4};
  if (input.size() < 2) return std::nullopt;
  const size_t kind = static_cast<uint8_t>(input[0]) % 4;
  const size_t width = 1 + static_cast<uint8_t>(input[0]) / 4 % 32;
  const size_t row = 1 + width * channels[kind];
  const size_t rows = (input.size() - 1) / row;
  if (rows == 0) return std::nullopt;
  std::string filtered(input.substr(1, rows * row));
  for (size_t y = 0; y < rows; ++y) filtered[y * row] = static_cast<char>(static_cast<uint8_t>(filtered[y * row]) % 6);
  uLongf size = compressBound(static_cast<uLong>(filtered.size()));
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(filtered.data()),
            static_cast<uLong>(filtered.size()), 0);
  packed.resize(size);
  const std::string header = big_endian(static_cast<uint32_t>(width)) + big_endian(static_cast<uint32_t>(rows)) +
                             std::string({8, static_cast<char>(colours[kind]), 0, 0, 0});
  return stages::with_checksums("\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) +
                                chunk("IEND", ""));
}

// nullopt: refused.
template <typename Decode>
std::optional<stages::Image> outcome_of(const Decode& way) {
  std::optional<stages::Image> image;
  is_refused(ExitCode::data, "x.png", [&] { image = way(); });
  return image;
}

void compare_decoders(const std::string& png) {
  const auto bytes = stages::span_of(png);
  const auto ours = outcome_of([&] { return stages::decode_simple_png(bytes, "x.png"); });
  const auto theirs = outcome_of([&] { return std::optional(stages::decode_any_png(bytes, "x.png")); });
  require(ours.has_value() == theirs.has_value(), "both ways read the same files");
  require(!ours || (ours->bytes == theirs->bytes && ours->width == theirs->width && ours->channels == theirs->channels),
          "both ways give the same pixels");
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  const std::string input(fuzz::text_of(data, size));
  const std::string mended = stages::with_checksums(input);
  fuzz::decode(stages::span_of(mended));
  if (mended != input) fuzz::decode(stages::span_of(input));
  if (!input.starts_with("\x89PNG")) {
    if (const auto png = fuzz::png_of_rows(input)) fuzz::compare_decoders(*png);
  }
  return 0;
}
