#include "stages/images/jpeg_codec.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <new>
// jpeglib.h uses stdio without including it.
#include <jerror.h>
#include <jpeglib.h>

#include "distributed/error.h"
#include "stages/images/orientation.h"

namespace penstock::stages {
namespace {

struct JpegErrors {
  jpeg_error_mgr base;  // first: libjpeg knows only this part
  std::string_view what;
  bool no_end = false;  // the file ended before its end marker; libjpeg goes on with what it has
  std::vector<std::string> notes;
};

JpegErrors& errors_of(j_common_ptr state) { return *reinterpret_cast<JpegErrors*>(state->err); }

std::string message_of(j_common_ptr state) {
  char message[JMSG_LENGTH_MAX];
  state->err->format_message(state, message);
  return message;
}

[[noreturn]] void refuse(std::string_view what, std::string_view fault) {
  throw Error(ExitCode::data, fmt::format("{}: damaged JPEG: {}", what, fault));
}

[[noreturn]] void jpeg_fail(j_common_ptr state) {
  if (state->err->msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();  // no fault of the file
  refuse(errors_of(state).what, message_of(state));
}

// libjpeg mends a truncated or damaged file with grey and a warning; here that is an error. What cameras write between
// and behind the pixels is none.
void jpeg_warn(j_common_ptr state, int level) {
  if (level >= 0) return;
  JpegErrors& errors = errors_of(state);
  switch (state->err->msg_code) {
    case JWRN_JPEG_EOF:
      errors.no_end = true;
      return;
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
      if (errors.notes.empty()) errors.notes.push_back(message_of(state));
      return;
    default:
      jpeg_fail(state);
  }
}

// A picture of many scans costs time for each, though a scan may take few bytes.
void jpeg_progress(j_common_ptr state) {
  constexpr int most_scans = 500, usual_scans = 20;
  constexpr uint64_t most_pixels = uint64_t{1} << 31;  // of all scans together
  if (!state->is_decompressor) return;
  const auto& picture = *reinterpret_cast<j_decompress_ptr>(state);
  const int scans = picture.input_scan_number;
  const uint64_t pixels = uint64_t{picture.image_width} * picture.image_height;
  if (scans > most_scans || (scans > usual_scans && static_cast<uint64_t>(scans) * pixels > most_pixels)) {
    refuse(errors_of(state).what,
           fmt::format("it has {} scans or more of {} x {} pixels", scans, picture.image_width, picture.image_height));
  }
}

// What a small file claims to hold is no reason to take much memory: of the densest pictures (a bit for a block of 64
// values, colours at a quarter of the resolution each way) a byte holds fewer than most_times values.
void check_data(const Image& image, size_t file_bytes, std::string_view what) {
  constexpr uint64_t small = uint64_t{64} << 20, most_times = 2000;
  if (image.values() <= small || image.values() / most_times <= file_bytes) return;
  refuse(what, fmt::format("{} bytes cannot hold {} x {} pixels", file_bytes, image.width, image.height));
}

struct JpegState {
  jpeg_decompress_struct state = {};
  ~JpegState() { jpeg_destroy_decompress(&state); }
};

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

int orientation_of(const jpeg_decompress_struct& state) {
  constexpr std::string_view mark("Exif\0\0", 6);
  for (const auto* marker = state.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker == JPEG_APP0 + 1 && marker->data_length > mark.size() &&
        std::memcmp(marker->data, mark.data(), mark.size()) == 0)
      return orientation_in_exif({marker->data + mark.size(), marker->data_length - mark.size()});
  }
  return upright;
}

// Four inks to RGB, in place. Adobe's programs store what is left of the paper: 255 is no ink.
void inks_to_rgb(Image& image, bool inverted) {
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i) {
    const auto light = [&](int c) {
      const int value = image.bytes[i * 4 + c];
      return inverted ? value : 255 - value;
    };
    const int black = light(3);
    for (int c = 0; c < 3; ++c) image.bytes[i * 3 + c] = static_cast<uint8_t>((light(c) * black + 127) / 255);
  }
  image.channels = 3;
  image.bytes.resize(pixels * 3);
}

Image read_rows(jpeg_decompress_struct& state, size_t file_bytes, std::string_view what) {
  const int components = state.num_components;
  if (components != 1 && components != 3 && components != 4)
    refuse(what, fmt::format("{} channels are not read", components));
  state.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  Image image{static_cast<int>(state.image_width), static_cast<int>(state.image_height), components, 8, {}};
  check_size(image.width, image.height, image.channels, what);
  check_data(image, file_bytes, what);
  jpeg_start_decompress(&state);
  const size_t row = static_cast<size_t>(image.width) * image.channels;
  image.bytes.resize(row * image.height);
  while (state.output_scanline < state.output_height) {
    JSAMPROW line = image.bytes.data() + state.output_scanline * row;
    jpeg_read_scanlines(&state, &line, 1);
  }
  jpeg_finish_decompress(&state);
  return image;
}

Image decode_jpeg(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  if (page.how == PageChoice::How::one) check_page(page.number, 1, what);
  JpegErrors errors = {};
  errors.what = what;
  JpegState jpeg;
  jpeg_decompress_struct& state = jpeg.state;
  state.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = jpeg_fail;
  errors.base.emit_message = jpeg_warn;
  jpeg_create_decompress(&state);
  jpeg_progress_mgr progress = {};
  progress.progress_monitor = jpeg_progress;
  state.progress = &progress;
  jpeg_mem_src(&state, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&state, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&state, TRUE);
  const int orientation = orientation_of(state);
  const bool scans = jpeg_has_multiple_scans(&state) != 0;
  Image image = read_rows(state, bytes.size(), what);
  if (image.channels == 4) inks_to_rgb(image, state.saw_Adobe_marker != 0);
  image.notes = std::move(errors.notes);
  // Of a picture in several scans, later ones may be missing.
  if (errors.no_end && scans) refuse(what, "it is truncated");
  if (errors.no_end) image.notes.emplace_back("its end marker is missing");
  turn_upright(image.bytes, image.width, image.height, static_cast<size_t>(image.channels), orientation);
  return image;
}

LabelsImage decode_jpeg_labels(std::span<const uint8_t> bytes, std::string_view what, const PageChoice&) {
  return labels_from(decode_jpeg(bytes, what, {}), what);
}

}  // namespace

const ImageFormat jpeg_format = {"JPEG", {".jpg", ".jpeg"}, is_jpeg, decode_jpeg, decode_jpeg_labels};

}  // namespace penstock::stages
