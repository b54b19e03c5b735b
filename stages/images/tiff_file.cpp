#include "stages/images/tiff_file.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <utility>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "stages/images/image.h"

namespace penstock::stages {

// libtiff's view of the bytes.
struct TiffFile::Cursor {
  static TiffFile& of(thandle_t handle) { return *static_cast<TiffFile*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t size) {
    TiffFile& file = of(handle);
    if (size <= 0 || file.at_ >= file.bytes_.size()) return 0;
    const Window& window = file.window_;
    const bool inside = file.at_ >= window.first && file.at_ - window.first < window.size;
    const uint64_t from = file.at_ + (inside ? window.by : 0);
    if (from >= file.bytes_.size()) return 0;
    const size_t got = std::min<size_t>(static_cast<size_t>(size), file.bytes_.size() - from);
    std::memcpy(to, file.bytes_.data() + from, got);
    file.at_ += got;
    return static_cast<tmsize_t>(got);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    TiffFile& file = of(handle);
    return file.at_ = offset + (from == SEEK_SET ? 0 : from == SEEK_CUR ? file.at_ : file.bytes_.size());
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes_.size(); }
};

namespace {

std::string formatted(const char* module, const char* format, va_list arguments) {
  char text[400];
  std::vsnprintf(text, sizeof text, format, arguments);
  return distributed::printable_name(module == nullptr ? text : fmt::format("{}: {}", module, text));
}

}  // namespace

int TiffFile::on_error(TIFF*, void* self, const char* module, const char* format, va_list arguments) {
  static_cast<TiffFile*>(self)->said_.error = formatted(module, format, arguments);
  return 1;  // handled: libtiff prints nothing
}

int TiffFile::on_warning(TIFF*, void* self, const char* module, const char* format, va_list arguments) {
  Said& said = static_cast<TiffFile*>(self)->said_;
  said.warning = formatted(module, format, arguments);
  const std::string_view decoder = module == nullptr ? "" : module;
  said.is_filled |= decoder == "JPEGLib" || decoder.starts_with("Fax");
  return 1;
}

TiffFile::TiffFile(std::span<const uint8_t> bytes, std::string_view what)
    : bytes_(bytes), what_(what), tiff_(nullptr, TIFFClose) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(max_values));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, this);
  tiff_.reset(TIFFClientOpenExt("memory", "rm", this, Cursor::read, Cursor::write, Cursor::seek, Cursor::close,
                                Cursor::size, nullptr, nullptr, options.get()));
  if (!tiff_) refuse("its directory cannot be read");
}

void TiffFile::refuse(std::string_view why) const {
  throw Error(ExitCode::data, fmt::format("{}: damaged or unsupported TIFF: {}{}", what_, why,
                                          said_.error.empty() ? "" : " (" + said_.error + ")"));
}

TiffFile::Said TiffFile::said() { return std::exchange(said_, {}); }

}  // namespace penstock::stages
