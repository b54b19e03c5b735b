#include "stages/images/png_writer.h"

#include <fmt/format.h>
#include <png.h>

#include <string>
#include <utility>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {

struct PngWriter::State {
  State(const PngShape& of, std::function<void(std::string_view)> to) : shape(of), put(std::move(to)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  PngShape shape;
  std::function<void(std::string_view)> put;
  int rows = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;

  ~State() { png_destroy_write_struct(&png, &info); }
};

PngWriter::PngWriter(const PngShape& shape, std::function<void(std::string_view)> put)
    : state_(std::make_unique<State>(shape, std::move(put))) {
  PENSTOCK_CHECK(shape.channels >= 1 && shape.channels <= 4, "a PNG has one to four channels");
  State& state = *state_;
  state.png = png_create_write_struct(
      PNG_LIBPNG_VER_STRING, nullptr,
      [](png_structp, png_const_charp message) { throw Error(ExitCode::internal, std::string("PNG: ") + message); },
      [](png_structp, png_const_charp) {});
  state.info = png_create_info_struct(state.png);
  png_set_write_fn(
      state.png, &state,
      [](png_structp png, png_bytep bytes, size_t size) {
        static_cast<State*>(png_get_io_ptr(png))->put({reinterpret_cast<const char*>(bytes), size});
      },
      [](png_structp) {});
  constexpr int colors[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};
  png_set_IHDR(state.png, state.info, static_cast<png_uint_32>(shape.width), static_cast<png_uint_32>(shape.height),
               shape.bits, colors[shape.channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(state.png, 6);
  if (shape.channels == 1) png_set_filter(state.png, 0, PNG_FILTER_NONE);  // masks and labels: runs of equal bytes
  png_write_info(state.png, state.info);
  if (shape.bits == 16) png_set_swap(state.png);
}

PngWriter::~PngWriter() = default;

void PngWriter::add_row(std::span<const uint8_t> row) {
  const PngShape& shape = state_->shape;
  PENSTOCK_CHECK(row.size() == static_cast<size_t>(shape.width) * shape.channels * (shape.bits / 8),
                 fmt::format("a row of {} pixels with {} channels of {} bits has as many bytes, not {}", shape.width,
                             shape.channels, shape.bits, row.size()));
  PENSTOCK_CHECK(state_->rows++ < shape.height, "a PNG gets as many rows as it has");
  png_write_row(state_->png, row.data());
}

void PngWriter::finish() {
  PENSTOCK_CHECK(state_->rows == state_->shape.height, "a PNG is finished after its last row");
  png_write_end(state_->png, nullptr);
}

}  // namespace penstock::stages
