#include "stages/compute/training/device_memory.h"

#include <fmt/format.h>

#include "distributed/local_communicator.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/training/micro_batch.h"

namespace penstock::stages {

bool fits(const TrainingShape& shape, int64_t micro, const OpenAlone& open) {
  constexpr int steps = 5;
  const auto alone = distributed::local_world(1);
  TrainParameters parameters = shape.parameters;
  parameters.micro_batch = parameters.global_batch = micro;
  std::vector<int> order;
  const size_t crops = crops_of(shape.samples, shape.input).size();
  for (size_t i = 0; i < crops; ++i) order.push_back(static_cast<int>(i));
  try {
    DeviceStep step(parameters, shape.architecture, shape.input, shape.normaliser, *alone[0], open(*alone[0]),
                    {distributed::Reproducible::run, true, parameters.graph != "off"});
    for (int i = 0; i < steps; ++i) step.step(shape.samples, order, 0, 0, 0, false);
  } catch (const DeviceMemoryError&) {
    return false;
  }
  return true;
}

std::string what_fits_instead(const TrainingShape& shape, int ranks, const OpenAlone& open) {
  auto smaller = micro_batch_candidates(shape.parameters.global_batch, ranks);
  std::erase_if(smaller, [&](int64_t micro) { return micro >= shape.parameters.micro_batch; });
  const auto found = largest_fitting(smaller, [&](int64_t micro) { return fits(shape, micro, open); });
  return found ? fmt::format("; micro_batch = {} fits", *found)
               : "; no smaller micro_batch fits: take a smaller network, or smaller images";
}

}  // namespace penstock::stages
