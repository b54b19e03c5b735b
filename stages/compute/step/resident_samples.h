// A data set as it lies on a device: bytes, and the tables that turn them into what the network sees.
#pragma once

#include <vector>

#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/step/step_device.h"

namespace penstock::stages {

// images [S,H,W,C] and masks [S,H,W] of uint8; tables as GatherWork reads them (device_work.h): one for all, one a
// channel (zscore) or one a sample (percentile).
struct ResidentSamples {
  torch::Tensor images, masks, tables;
  int64_t sample_stride = 0, channel_stride = 0;
};

// Returns when they are there. A sample of another size, or without a mask, fails a check.
ResidentSamples put_on_device(const std::vector<GridSample>& samples, const ShardIndex& grid,
                              const Normaliser& normaliser, StepDevice& device);

}  // namespace penstock::stages
