// A PNG row by row, so that the rows of a picture need not be in memory at once. One thread uses a writer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace penstock::stages {

struct PngShape {
  int width = 0, height = 0;
  int channels = 1;  // 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA
  int bits = 8;      // 8 or 16
};

// Deterministic bytes: those of encode_png (png_codec.h).
class PngWriter {
 public:
  // `put` gets the file's bytes, in order.
  PngWriter(const PngShape& shape, std::function<void(std::string_view)> put);
  ~PngWriter();
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  void add_row(std::span<const uint8_t> row);  // the next from the top; 16 bits in native byte order
  void finish();                               // after the last row

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::stages
