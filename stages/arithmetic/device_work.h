// What a device does in a training step beside the network itself: the arguments of the kernels (cuda/kernels.h) and of
// their reference on the host (compute/step/host_device.h). All pointers are the device's. The work is enqueued in
// the order of the calls; results are safe to read on the host after StepDevice::wait().
#pragma once

#include <cstdint>

#include "stages/arithmetic/device_arithmetic.h"
#include "stages/arithmetic/figures.h"
#include "stages/arithmetic/row_change.h"

namespace penstock::stages {

// Written by the host before each step. The list of the rank's rows (BatchRow) follows it.
struct StepOrders {
  UpdateFactors factors;
  UpdateFactors part_factors;  // of the first `part` elements, which learn at a rate of their own; 0 keeps them
  int64_t part = 0;
  float interrupted = 0;    // 1: this rank was asked to stop
  float average_share = 0;  // of the updated weights in their average, where one is kept

  PENSTOCK_BOTH const UpdateFactors& factors_of_element(int64_t i) const { return i < part ? part_factors : factors; }
};

// Read by the host after each step.
struct StepVerdict {
  double norm = 0;   // of the gradient, before clipping
  float scale = 1;   // of clipping
  int32_t good = 0;  // loss and norm are finite: the weights were updated
  StepFigures figures;
};

// One row of a batch: a window of a sample, of the network's input size, and then turned. Where the window reaches
// beyond the sample, the sample is mirrored at its edges.
struct BatchRow {
  int32_t sample = 0;             // its number
  int32_t top = 0, left = 0;      // of the window, in the sample
  int32_t height = 0, width = 0;  // of what counts in figures, from the window's upper left corner
  int32_t orientation = 0;        // to_byte(Orientation)
  RowChange change = {};          // of a window whose pixels are not just the sample's
};

// Where a sample lies among the others, and its size.
struct SamplePlace {
  int64_t begin = 0;  // pixels before its first
  int32_t height = 0, width = 0;
};

// The pixel that pixel (y, x) of a row of a batch of height x width shows, counted from the first of all samples.
PENSTOCK_BOTH inline int64_t source_pixel(int y, int x, int height, int width, const BatchRow& row,
                                          const SamplePlace& place) {
  const PixelPlace at = turned(y, x, height, width, static_cast<uint8_t>(row.orientation));
  return place.begin + static_cast<int64_t>(mirrored(row.top + at.y, place.height)) * place.width +
         mirrored(row.left + at.x, place.width);
}

// Samples that lie on the device as they were read become a batch: cut, turned, normalised by a table, in the network's
// layout; changed rows as device_sampling.h says.
struct GatherWork {
  const uint8_t* images = nullptr;    // [pixels of all samples, C], values of 8 bits, or of 16 where they are `wide`
  const uint16_t* objects = nullptr;  // [pixels of all samples]; 0 is background
  const SamplePlace* places = nullptr;
  const float* tables =
      nullptr;  // value of byte b in channel c of sample s: [s * sample_stride + c * channel_stride + b]
  int64_t sample_stride = 0, channel_stride = 0;
  const BatchRow* rows = nullptr;  // [count]
  int count = 0, height = 0, width = 0, channels = 0;
  void* batch_images = nullptr;  // [count,H,W,C], float32 or bfloat16
  TargetList targets;
  float* batch_targets = nullptr;  // [count,targets,H,W]
  bool bfloat16 = false;
  bool wide = false;
  // Only where rows are changed: a changed row's own tables, [C, row_table_length] or [row_tiles, row_tiles, C,
  // row_table_length], instead of its sample's; those of the next row are row_stride values further.
  const float* row_tables = nullptr;
  int64_t row_stride = 0;
  float* scratch = nullptr;  // [2,count,H,W,C], where rows are blurred
};

// Adds to counts[4] how many of the rows' pixels that count are tp, fp, fn, tn, when logits above 0 are foreground. Of
// the first channel, the mask.
struct TallyWork {
  const float* logits = nullptr;   // [count,channels,height,width]
  const float* targets = nullptr;  // [count,target_channels,height,width]
  int channels = 1, target_channels = 1;
  const BatchRow* rows = nullptr;  // [count]
  int count = 0, height = 0, width = 0;
  uint32_t* counts = nullptr;
};

// Where pixel `i` of the first channels of such a batch, counted through, lies among all values.
PENSTOCK_BOTH inline int64_t first_channel(int64_t i, int height, int width, int channels) {
  const int64_t pixels = static_cast<int64_t>(height) * width;
  return i / pixels * channels * pixels + i % pixels;
}

// Whether that pixel is one of those that count.
PENSTOCK_BOTH inline bool counts_in_figures(int64_t i, int height, int width, const BatchRow* rows) {
  const int64_t line = i / width;
  const BatchRow& row = rows[line / height];
  return line % height < row.height && i % width < row.width;
}

// Turns counts into shares of the global batch's `pixels`, and sets `interrupted`; leaves the loss.
struct FiguresWork {
  const uint32_t* counts = nullptr;
  double pixels = 1;
  const StepOrders* orders = nullptr;
  StepFigures* figures = nullptr;
};

// The norm of the summed gradient, the scale of clipping, and whether both the norm and the loss are finite.
struct JudgeWork {
  const float* gradient = nullptr;
  size_t count = 0;
  const StepFigures* figures = nullptr;
  double clip_norm = 0;
  double* partials = nullptr;  // [norm_width]
  StepVerdict* verdict = nullptr;
};

// Weights and moments from the summed gradient, unless the verdict is bad; then the weights as bfloat16, where
// `rounded` is given, and the averages of weights and running statistics, where `average` is given.
struct UpdateWork {
  const float* gradient = nullptr;
  float* weights = nullptr;
  float* first = nullptr;
  float* second = nullptr;  // null for SGD
  uint16_t* rounded = nullptr;
  size_t count = 0;
  const StepOrders* orders = nullptr;
  const StepVerdict* verdict = nullptr;
  // Running statistics move towards the step's own by `statistics_momentum`.
  const float* step_statistics = nullptr;
  float* statistics = nullptr;
  size_t statistic_count = 0;
  float statistics_momentum = 0;
  float* average = nullptr;             // [count]
  float* average_statistics = nullptr;  // [statistic_count]
};

}  // namespace penstock::stages
