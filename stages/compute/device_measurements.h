// How fast a device trains, and how large a micro-batch its memory holds (`penstock doctor --gpu`). Reported, not
// judged.
#pragma once

#include <vector>

#include "stages/compute/device_checks.h"

namespace penstock::stages {

// Collective. Images per second of steps on random data: base 16, 128 x 128, one micro-shard of 64 a rank.
std::vector<Finding> measure_device(distributed::Communicator& ranks, const MakeDevice& make);

// The largest micro-batch that fits; each rank by itself.
Finding measure_memory(const MakeDevice& make);

}  // namespace penstock::stages
