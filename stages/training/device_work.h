// What a device does in a training step beside the network itself: the arguments of the kernels (cuda/kernels.h) and of
// their reference on the host (compute/step/host_device.h). All pointers are the device's. The work is enqueued in
// the order of the calls; results are safe to read on the host after StepDevice::wait().
#pragma once

#include <cstdint>

#include "stages/training/device_arithmetic.h"
#include "stages/training/figures.h"

namespace penstock::stages {

// Written by the host before each step. The list of the rank's samples follows it: sample numbers, then orientations.
struct StepOrders {
  UpdateFactors factors;
  float interrupted = 0;  // 1: this rank was asked to stop
  float unused = 0;
};

// Read by the host after each step.
struct StepVerdict {
  double norm = 0;   // of the gradient, before clipping
  float scale = 1;   // of clipping
  int32_t good = 0;  // loss and norm are finite: the weights were updated
  StepFigures figures;
};

// Samples that lie on the device as bytes become a batch: chosen, turned, normalised by a table, in the network's
// layout.
struct GatherWork {
  const uint8_t* images = nullptr;  // [S,H,W,C]
  const uint8_t* masks = nullptr;   // [S,H,W]
  const float* tables =
      nullptr;  // value of byte b in channel c of sample s: [s * sample_stride + c * channel_stride + b]
  int64_t sample_stride = 0, channel_stride = 0;
  const int32_t* samples = nullptr;       // [count]
  const uint8_t* orientations = nullptr;  // [count]
  int count = 0, height = 0, width = 0, channels = 0;
  void* batch_images = nullptr;  // [count,H,W,C], float32 or bfloat16
  float* batch_masks = nullptr;  // [count,H,W], 0 or 1
  bool bfloat16 = false;
};

// Adds to counts[4] how many of `count` pixels are tp, fp, fn, tn, when logits above 0 are foreground.
struct TallyWork {
  const float* logits = nullptr;
  const float* masks = nullptr;
  int64_t count = 0;
  uint32_t* counts = nullptr;
};

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
// `rounded` is given.
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
};

}  // namespace penstock::stages
