#include "stages/images/label_tiff.h"

#include <tiffio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/large_files.h"
#include "pipeline/process_mark.h"

namespace penstock::stages {
namespace {

constexpr uint32_t rows_per_strip = 64;

int say_nothing(TIFF*, void*, const char*, const char*, va_list) { return 1; }

}  // namespace

LabelTiff::LabelTiff(std::filesystem::path file, int width, int height)
    : file_(std::move(file)),
      fresh_(file_.string() + ".tmp." + pipeline::unique_suffix()),
      width_(width),
      height_(height),
      tiff_(nullptr, TIFFClose) {
  if (file_.has_parent_path()) pipeline::make_folder(file_.parent_path());
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), say_nothing, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), say_nothing, nullptr);
  tiff_.reset(TIFFOpenExt(fresh_.c_str(), "wl", options.get()));
  if (!tiff_)
    throw Error(ExitCode::cannot_create, fresh_.string() + ": cannot create: " + std::string(std::strerror(errno)));
  TIFFSetField(tiff_.get(), TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(width));
  TIFFSetField(tiff_.get(), TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(height));
  TIFFSetField(tiff_.get(), TIFFTAG_BITSPERSAMPLE, 32);
  TIFFSetField(tiff_.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
  TIFFSetField(tiff_.get(), TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  TIFFSetField(tiff_.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff_.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff_.get(), TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff_.get(), TIFFTAG_ROWSPERSTRIP, rows_per_strip);
}

LabelTiff::~LabelTiff() {
  if (!tiff_) return;
  tiff_.reset();
  unlink(fresh_.c_str());
}

void LabelTiff::add_row(std::span<const uint32_t> labels) {
  PENSTOCK_CHECK(labels.size() == static_cast<size_t>(width_) && rows_ < height_, "rows fill the picture's size");
  std::vector<uint32_t> row(labels.begin(), labels.end());  // libtiff may change what it is given
  if (TIFFWriteScanline(tiff_.get(), row.data(), static_cast<uint32_t>(rows_++), 0) != 1)
    throw Error(ExitCode::io, file_.string() + ": cannot write: " + std::string(std::strerror(errno)));
}

void LabelTiff::commit() {
  PENSTOCK_CHECK(tiff_ && rows_ == height_, "a picture is committed once, after its last row");
  if (TIFFFlush(tiff_.get()) != 1)
    throw Error(ExitCode::io, file_.string() + ": cannot write: " + std::string(std::strerror(errno)));
  tiff_.reset();
  try {
    pipeline::move_into_place(fresh_, file_);
  } catch (...) {
    unlink(fresh_.c_str());
    throw;
  }
}

}  // namespace penstock::stages
