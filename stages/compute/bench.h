// Throughput of this machine, with random data: steps of training, and reductions. Called by `penstock bench` through
// the library's table (library.cpp).
#pragma once

#include "distributed/communicator.h"
#include "pipeline/value.h"
#include "stages/bench.h"

namespace penstock::stages {

// Collective. What rank 0 prints: {"what", "ranks", "threads", ...}.
//   train:  {"images_per_second", "step_seconds": {median and interval}, "update_seconds" (of it, the optimiser),
//   "reproducible",
//            "peak_memory_bytes" (of a rank)}, or with `compare` {"a", "b", "ratio"} of medians
//   reduce: {"rows": [{"bytes", "all_reduce_seconds", "run_seconds", "world_seconds", "model_seconds",
//   "world_model_seconds"}],
//            "link": {"latency_seconds", "bytes_per_second"}}; the models by that link
//            (distributed/reducer/link_model.h)
pipeline::Value bench(const BenchRequest& request, distributed::Communicator& ranks, int threads);

}  // namespace penstock::stages
