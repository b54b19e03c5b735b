#include "stages/compute/step/make_step.h"

#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_step.h"
#include "stages/cuda_library.h"
#include "stages/training/norms.h"

namespace penstock::stages {
namespace {

// Two ranks on two cores of a Zen 5, crops of 128 x 128: bfloat16 is 1.1 times as fast as float32 with 4 channels, 1.4
// times with 8, 1.7 times with 16.
constexpr int64_t fewest_channels_in_bfloat16 = 8;

}  // namespace

bool multiplies_bfloat16() { return __builtin_cpu_supports("avx512bf16") != 0; }

// A norm that a GPU's step lacks stays on the CPU, unless a GPU is required: then the step's error explains why not.
bool trains_on_gpus(const TrainParameters& parameters, distributed::Communicator& ranks) {
  return choose_cuda(norm_rule(parameters.norm).over_ranks && parameters.device == "auto" ? "cpu" : parameters.device,
                     ranks);
}

std::string faster_precision(const TrainParameters& parameters, distributed::Communicator& ranks) {
  if (trains_on_gpus(parameters, ranks)) return "bf16";
  int64_t slow = multiplies_bfloat16() && parameters.base_channels >= fewest_channels_in_bfloat16 ? 0 : 1;
  ranks.all_reduce(distributed::buffer_of(&slow, 1), "ranks that are faster in float32");
  return slow > 0 ? "fp32" : "bf16";
}

std::unique_ptr<TrainingStep> make_step(const TrainParameters& parameters, const Architecture& architecture,
                                        const InputShape& input, const Normaliser& normaliser,
                                        distributed::Communicator& ranks, int threads, StepOptions options) {
  if (!trains_on_gpus(parameters, ranks))
    return std::make_unique<HostStep>(parameters, architecture, input, normaliser, ranks, threads, options);
  options.reproducible =
      parameters.reproducible == "world" ? distributed::Reproducible::world : distributed::Reproducible::run;
  options.overlap = parameters.overlap != "off";
  options.graph = parameters.graph != "off";
  return std::make_unique<DeviceStep>(parameters, architecture, input, normaliser, ranks,
                                      cuda_library().open_device(ranks), options);
}

}  // namespace penstock::stages
