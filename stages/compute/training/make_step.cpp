#include "stages/compute/training/make_step.h"

#include "stages/compute/training/device_step.h"
#include "stages/compute/training/host_device.h"
#include "stages/compute/training/training_step.h"
#include "stages/cuda_library.h"

namespace penstock::stages {

// What a GPU's step cannot do stays on the CPU, unless a GPU is insisted on: then the step says why not.
bool trains_on_gpus(const TrainParameters& parameters, distributed::Communicator& ranks) {
  return choose_cuda(parameters.norm == "sync" && parameters.device == "auto" ? "cpu" : parameters.device, ranks);
}

std::unique_ptr<TrainingStep> make_step(const TrainParameters& parameters, const Architecture& architecture,
                                        const ShardIndex& grid, const Normaliser& normaliser,
                                        distributed::Communicator& ranks, int threads, StepOptions options) {
  const bool cuda = trains_on_gpus(parameters, ranks);
  if (!cuda && parameters.precision == "fp32")
    return std::make_unique<TrainingState>(parameters, architecture, grid, normaliser, ranks, threads, options);
  const bool world = parameters.reproducible == "world";
  options.reproducible = world ? distributed::Reproducible::world : distributed::Reproducible::run;
  options.overlap = parameters.overlap != "off";
  options.graph = parameters.graph != "off";
  auto device = cuda ? cuda_library().open_device(ranks) : host_device(ranks, world ? 1 : threads);
  return std::make_unique<DeviceStep>(parameters, architecture, grid, normaliser, ranks, std::move(device), options);
}

}  // namespace penstock::stages
