// The pixels of a sample, and where they come from when they do not stay in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock::stages {

// Pixels as they were read.
struct StoredPixels {
  std::vector<uint8_t> image;     // [height, width, channels], values of the data set's bits
  std::vector<uint8_t> mask;      // [height, width] of {0,1}; empty when not labelled
  std::vector<uint16_t> objects;  // as GridSample::objects

  int64_t bytes() const { return static_cast<int64_t>(image.size() + mask.size() + objects.size() * sizeof(uint16_t)); }
};

// The same, to look at. They stay where they are as long as this lives.
struct SamplePixels {
  std::span<const uint8_t> image, mask;
  std::span<const uint16_t> objects;
  std::shared_ptr<const StoredPixels> owner;  // null: the sample's own

  SamplePixels() = default;
  explicit SamplePixels(std::shared_ptr<const StoredPixels> pixels)
      : image(pixels->image), mask(pixels->mask), objects(pixels->objects), owner(std::move(pixels)) {}

  // The object of a pixel; where objects were not requested, 1 for all of the mask.
  uint16_t object_at(size_t pixel) const { return objects.empty() ? mask[pixel] : objects[pixel]; }
};

// Gives the pixels of samples by their numbers. Any thread may call.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  // Throws Error(data) where they cannot be read.
  virtual SamplePixels pixels(int number) = 0;
};

}  // namespace penstock::stages
