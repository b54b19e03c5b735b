// A data set as it lies on a device: bytes, and the tables that turn them into what the network sees.
#pragma once

#include "stages/compute/step/step_device.h"
#include "stages/compute/step/step_samples.h"

namespace penstock::stages {

// The samples one after another, images [pixels,C] of uint8 and objects [pixels] of 16 bits; where each lies
// (SamplePlace, as bytes); tables as GatherWork reads them (device_work.h): one for all, one a channel (zscore) or one
// a sample (percentile).
struct ResidentSamples {
  torch::Tensor images, objects, places, tables;
  int64_t sample_stride = 0, channel_stride = 0;
};

// Returns when they are there.
ResidentSamples put_on_device(const StepSamples& data, StepDevice& device);

}  // namespace penstock::stages
