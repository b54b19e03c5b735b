// Whether a device's kernels do to the bit what the host does (host_device.h); part of device_checks.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stages/compute/step/step_device.h"

namespace penstock::stages {

// Returns what was compared; throws Error(environment) that names what differs.
using KernelCheck = std::string (*)(StepDevice& device);
const std::vector<std::pair<std::string, KernelCheck>>& kernel_checks();

}  // namespace penstock::stages
