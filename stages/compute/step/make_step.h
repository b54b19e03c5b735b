// Which training step a run gets: by train.device and the GPUs of this machine.
#pragma once

#include <memory>
#include <string>

#include "stages/compute/model/normaliser.h"
#include "stages/compute/step/training_step.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// Collective. Throws Error(environment) on every rank where train.device requests a GPU that is not there.
bool trains_on_gpus(const TrainParameters& parameters, distributed::Communicator& ranks);

// Whether this processor has instructions for bfloat16 (AVX-512 BF16). Without, LibTorch multiplies such values one by
// one.
bool multiplies_bfloat16();

// Collective. What precision = "auto" is for this training on these machines, "fp32" or "bf16": the faster one.
std::string faster_precision(const TrainParameters& parameters, distributed::Communicator& ranks);

// Collective. `options.reproducible` as the CPU would have it; a GPU sums along the tree ("world") only when
// train.reproducible names it.
std::unique_ptr<TrainingStep> make_step(const TrainParameters& parameters, const Architecture& architecture,
                                        const InputShape& input, const Normaliser& normaliser,
                                        distributed::Communicator& ranks, int threads, StepOptions options);

}  // namespace penstock::stages
