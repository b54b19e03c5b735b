// A changed row of a batch on the host: what device_sampling.h computes pixel by pixel, line by line and fast; equal to
// the bit.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/arithmetic/device_sampling.h"
#include "stages/compute/step/row_tables.h"
#include "stages/compute/step/step_samples.h"

namespace penstock::stages {

// One object per thread, used for row after row.
class ChangedRows {
 public:
  explicit ChangedRows(const StepSamples& data);

  // What follows is of this row; `look`, at its sample, stays until it is finished.
  void begin(const BatchRow& row, const SampleLook& look);
  // Line y of the row: values to images[c * pixels + y * width + x], and which pixel of the sample gives each label.
  void line(int y, float* images, size_t* labels);
  // After all lines: blur and noise.
  void finish(float* images);

 private:
  // The places that a line's pixels show, from left to right: evenly apart, and bent where the row is.
  struct Line {
    SamplePosition from, step;
    const SamplePosition* bends = nullptr;
  };

  void bend(int y);
  void add_line(const Line& line);
  template <typename T>
  void add_line_of(const T* image, const Line& line);
  void write_labels(const Line& line, size_t* labels) const;
  void write_tiles(const Line& line);
  void write_values(float* to, size_t pixels) const;
  void blur(float* plane);
  void add_noise(float* images) const;

  // A table's value, and what the next is above it.
  struct Between {
    float low, difference;
  };

  const StepSamples& data_;
  const InputShape input_;
  const size_t stride_;  // of a pixel in bytes_
  BatchRow row_;
  SamplePlace place_;
  PixelValues image_{std::span<const uint8_t>()};  // of the sample
  RowTables tables_;
  std::vector<Between> between_;               // likewise
  std::vector<uint32_t> bytes_;                // [width, stride] of a line, in 1/16384 of a byte
  std::vector<TilePlace> tiles_;               // of a line's pixels
  std::vector<SamplePosition> bends_, nodes_;  // of a line's pixels; of the nodes along it
  std::vector<float> blurred_;                 // [H, W]
  std::vector<float> padded_;                  // a line with blur_radius values more at each end
};

}  // namespace penstock::stages
