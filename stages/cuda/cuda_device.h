// One GPU as the device of a training step.
#pragma once

#include <memory>

#include "distributed/communicator.h"

namespace penstock::stages {

class StepDevice;  // compute/step/step_device.h

int cuda_devices();  // 0 without a driver

// Collective. This rank's device, by its place among the ranks of its machine; with several ranks also NCCL among them.
// `ranks` must outlive it. Throws Error(environment) on every rank.
std::unique_ptr<StepDevice> open_cuda_device(distributed::Communicator& ranks);

}  // namespace penstock::stages
