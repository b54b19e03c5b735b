// `penstock bench train`: images per second of training steps, or two ways of taking a step compared.
#pragma once

#include "distributed/communicator.h"
#include "pipeline/value.h"
#include "stages/bench.h"

namespace penstock::stages {

// Collective. Throws Error(usage) where the comparison does not apply to the request.
pipeline::Value bench_train(const BenchRequest& request, distributed::Communicator& ranks, int threads);

}  // namespace penstock::stages
