// Numbers of objects as a grey TIFF of 32 bits, row by row: for more objects than a PNG's 16 bits tell apart. One
// thread uses an object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

using TIFF = struct tiff;

namespace penstock::stages {

class LabelTiff {
 public:
  // Makes missing folders. What is at `file` changes in commit() alone. Throws as pipeline::write_file does.
  LabelTiff(std::filesystem::path file, int width, int height);
  ~LabelTiff();  // without commit(): nothing is left
  LabelTiff(const LabelTiff&) = delete;
  LabelTiff& operator=(const LabelTiff&) = delete;

  void add_row(std::span<const uint32_t> labels);  // the next from the top
  void commit();                                   // after the last row

 private:
  std::filesystem::path file_, fresh_;
  int width_, height_, rows_ = 0;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_;
};

}  // namespace penstock::stages
