// The pictures of one predicted image, written row by row, so that none of them is in memory as a whole. One thread
// uses an object.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "pipeline/large_files.h"
#include "stages/compute/scores/found_objects.h"
#include "stages/images/image.h"
#include "stages/images/png_writer.h"

namespace penstock::stages {

// labels/<id>.png (16 bits; labels/<id>.tif, 32 bits, where there are more than 65,535 objects), probability/<id>.png
// (8 bits), overlays/<id>.png, below `folder`. Each is there as a whole or not at all.
class PredictionFiles {
 public:
  PredictionFiles(const std::filesystem::path& folder, const std::string& id, int width, int height);

  // The next row of probability/, from the top.
  void add_probability(std::span<const float> foreground);
  // After the last row. `shown` is the image at this size, or null: the overlay is then drawn on black.
  void finish(const FoundObjects& found, const Image* shown);

 private:
  std::filesystem::path folder_;
  std::string id_;
  int width_, height_;
  std::vector<uint8_t> row_;
  pipeline::FileWriter file_;
  PngWriter probability_;
};

// Where the numbers of an image's objects are: with the extension that it has, or empty where neither is there.
std::filesystem::path labels_file(const std::filesystem::path& folder, const std::string& id);

}  // namespace penstock::stages
