// A changed row of a batch on the host: what device_sampling.h computes pixel by pixel, line by line and fast; equal to
// the bit.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/compute/step/step_samples.h"
#include "stages/training/device_sampling.h"

namespace penstock::stages {

// One object per thread, used for row after row.
class ChangedRows {
 public:
  explicit ChangedRows(const StepSamples& data);

  // What follows is of this row.
  void begin(const BatchRow& row);
  // Line y of the row: values to images[c * pixels + y * width + x], and which pixel of the sample gives each label.
  void line(int y, float* images, size_t* labels);
  // After all lines: blur and noise.
  void finish(float* images);

 private:
  template <int Channels, bool Inside>
  void add_line(const SamplePosition& from, const SamplePosition& step);
  void add_line(const SamplePosition& from, const SamplePosition& step);
  void blur(float* plane);

  const StepSamples& data_;
  const InputShape input_;
  BatchRow row_;
  SamplePlace place_;
  const uint8_t* image_ = nullptr;  // of the sample
  std::vector<float> tables_;       // [C, row_table_length]
  std::vector<uint32_t> bytes_;     // [C, width] of a line, in 1/65536
  std::vector<float> blurred_;      // [H, W]
  std::vector<float> padded_;       // a line with blur_radius values more at each end
};

}  // namespace penstock::stages
