// `penstock bench reduce`: how long reductions of several sizes take between these ranks, and the link that fits them.
#pragma once

#include "distributed/communicator.h"
#include "pipeline/value.h"
#include "stages/bench.h"

namespace penstock::stages {

// Collective.
pipeline::Value bench_reduce(const BenchRequest& request, distributed::Communicator& ranks);

}  // namespace penstock::stages
