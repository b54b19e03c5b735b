// Whether a training fits the memory of a device, found out by trying. Called by the training's thread, before or after
// it trains; each call opens and closes a device.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/step/input_shape.h"
#include "stages/compute/step/step_device.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// A device of this rank alone, opened when called.
using OpenAlone = std::function<std::unique_ptr<StepDevice>(distributed::Communicator& alone)>;

// A training except for its micro-batch.
struct TrainingShape {
  TrainParameters parameters;
  Architecture architecture;
  InputShape input;
  Normaliser normaliser;
  const std::vector<GridSample>& samples;
};

// Trains a few steps of one micro-shard of `micro` samples, recorded ones too, and gives all memory back.
bool fits(const TrainingShape& shape, int64_t micro, const OpenAlone& open);

// "; micro_batch = 32 fits", or that none does: the end of a DeviceMemoryError's message.
std::string what_fits_instead(const TrainingShape& shape, int ranks, const OpenAlone& open);

}  // namespace penstock::stages
