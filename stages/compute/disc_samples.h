// Samples that a network can learn, for checks and measurements of a device. Pure.
#pragma once

#include <vector>

#include "stages/compute/data/shard_reader.h"

namespace penstock::stages {

// `count` pictures of size x size with three channels: a bright disc on a dark ground.
std::vector<GridSample> disc_samples(int count, int size);

}  // namespace penstock::stages
