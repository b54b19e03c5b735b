#include "stages/compute/step/make_step.h"

#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/step/host_step.h"
#include "stages/cuda_library.h"
#include "stages/training/norms.h"
#include "stages/training/precisions.h"

namespace penstock::stages {

// A norm that a GPU's step lacks stays on the CPU, unless a GPU is required: then the step's error explains why not.
bool trains_on_gpus(const TrainParameters& parameters, distributed::Communicator& ranks) {
  return choose_cuda(norm_rule(parameters.norm).over_ranks && parameters.device == "auto" ? "cpu" : parameters.device,
                     ranks);
}

std::unique_ptr<TrainingStep> make_step(const TrainParameters& parameters, const Architecture& architecture,
                                        const InputShape& input, const Normaliser& normaliser,
                                        distributed::Communicator& ranks, int threads, StepOptions options) {
  const bool cuda = trains_on_gpus(parameters, ranks);
  if (!cuda && !precision_rule(parameters.precision).bfloat16)
    return std::make_unique<HostStep>(parameters, architecture, input, normaliser, ranks, threads, options);
  const bool world = parameters.reproducible == "world";
  options.reproducible = world ? distributed::Reproducible::world : distributed::Reproducible::run;
  options.overlap = parameters.overlap != "off";
  options.graph = parameters.graph != "off";
  auto device = cuda ? cuda_library().open_device(ranks) : host_device(ranks, world ? 1 : threads);
  return std::make_unique<DeviceStep>(parameters, architecture, input, normaliser, ranks, std::move(device), options);
}

}  // namespace penstock::stages
