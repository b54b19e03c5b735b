// A TIFF or BigTIFF in memory, opened with libtiff; what libtiff says stays with the file. One thread uses a file.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using TIFF = struct tiff;

namespace penstock::stages {

class TiffFile {
 public:
  // Throws Error(data): its first directory cannot be read.
  TiffFile(std::span<const uint8_t> bytes, std::string_view what);

  TIFF* handle() const { return tiff_.get(); }
  std::span<const uint8_t> bytes() const { return bytes_; }
  const std::string& what() const { return what_; }
  // From now on libtiff finds, in place of the `size` bytes at `first`, those that lie `by` bytes behind them.
  void look_behind(uint64_t first, uint64_t size, uint64_t by) { window_ = {first, size, by}; }
  // "`what`: damaged or unsupported TIFF: `why` (`what libtiff said last`)".
  [[noreturn]] void refuse(std::string_view why) const;
  // What libtiff said since the last call.
  struct Said {
    std::string error, warning;
    bool is_filled = false;  // a decoder (JPEG, CCITT) fills what is missing or damaged, and only warns
  };
  Said said();

 private:
  struct Cursor;
  static int on_error(TIFF*, void* self, const char* module, const char* format, va_list arguments);
  static int on_warning(TIFF*, void* self, const char* module, const char* format, va_list arguments);

  std::span<const uint8_t> bytes_;
  std::string what_;
  uint64_t at_ = 0;
  struct Window {
    uint64_t first = 0, size = 0, by = 0;
  } window_;
  Said said_;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_;
};

}  // namespace penstock::stages
