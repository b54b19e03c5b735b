// Which training step a run gets: by train.device, by what this machine has, and by train.precision.
#pragma once

#include <memory>

#include "stages/compute/model/normaliser.h"
#include "stages/compute/training/step.h"

namespace penstock::stages {

// Collective. Throws Error(environment) on every rank where train.device asks for what is not there.
bool trains_on_gpus(const TrainParameters& parameters, distributed::Communicator& ranks);

// Collective. `options.reproducible` as the CPU would have it; a GPU sums along the tree ("world") only when asked to
// by name.
std::unique_ptr<TrainingStep> make_step(const TrainParameters& parameters, const Architecture& architecture,
                                        const ShardIndex& grid, const Normaliser& normaliser,
                                        distributed::Communicator& ranks, int threads, StepOptions options);

}  // namespace penstock::stages
