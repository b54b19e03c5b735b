#include "stages/images/jpeg_codec.h"

#include <fmt/format.h>

#include <cstdio>
// jpeglib.h uses stdio without including it.
#include <jpeglib.h>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

struct JpegErrors {
  jpeg_error_mgr base;  // first: libjpeg knows only this part
  std::string_view what;
};

[[noreturn]] void jpeg_fail(j_common_ptr state) {
  char message[JMSG_LENGTH_MAX];
  state->err->format_message(state, message);
  throw Error(ExitCode::data,
              fmt::format("{}: damaged JPEG: {}", reinterpret_cast<JpegErrors*>(state->err)->what, message));
}

// libjpeg mends a truncated file with grey and a warning; here that is an error.
void jpeg_warn(j_common_ptr state, int level) {
  if (level < 0) jpeg_fail(state);
}

struct JpegState {
  jpeg_decompress_struct state = {};
  ~JpegState() { jpeg_destroy_decompress(&state); }
};

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

Image decode_jpeg(std::span<const uint8_t> bytes, std::string_view what) {
  JpegErrors errors = {};
  errors.what = what;
  JpegState jpeg;
  jpeg.state.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = jpeg_fail;
  errors.base.emit_message = jpeg_warn;
  jpeg_create_decompress(&jpeg.state);
  jpeg_mem_src(&jpeg.state, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&jpeg.state, TRUE);
  jpeg.state.out_color_space = jpeg.state.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  Image image{static_cast<int>(jpeg.state.image_width),
              static_cast<int>(jpeg.state.image_height),
              jpeg.state.num_components == 1 ? 1 : 3,
              8,
              {}};
  check_size(image.width, image.height, image.channels, what);
  jpeg_start_decompress(&jpeg.state);
  const size_t row = static_cast<size_t>(image.width) * image.channels;
  image.bytes.resize(row * image.height);
  while (jpeg.state.output_scanline < jpeg.state.output_height) {
    JSAMPROW line = image.bytes.data() + jpeg.state.output_scanline * row;
    jpeg_read_scanlines(&jpeg.state, &line, 1);
  }
  jpeg_finish_decompress(&jpeg.state);
  return image;
}

}  // namespace

const ImageFormat jpeg_format = {"JPEG", {".jpg", ".jpeg"}, is_jpeg, decode_jpeg};

}  // namespace penstock::stages
