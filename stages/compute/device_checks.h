// Whether a device does what the host does: its kernels to the bit, its training within stated bounds (`penstock doctor
// --gpu`).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "stages/compute/step/step_device.h"
#include "stages/finding.h"

namespace penstock::stages {

using MakeDevice = std::function<std::unique_ptr<StepDevice>(distributed::Communicator& ranks)>;

// Collective. A finding for each name in device_check_names(), in their order. A device is made for each training.
const std::vector<std::string>& device_check_names();
std::vector<Finding> check_device(distributed::Communicator& ranks, const MakeDevice& make);

// Collective. These and the measurements (device_measurements.h) on this rank's GPU; without `any` GPU each as not run.
std::vector<Finding> check_gpus(distributed::Communicator& ranks, bool any);

}  // namespace penstock::stages
