// Executes a graph on the ranks of one job. Rank 0 plans once and instructs the others; no other rank ever decides.
#pragma once

#include <atomic>

#include "distributed/communicator.h"
#include "pipeline/run/run_options.h"
#include "pipeline/stage.h"

namespace penstock::pipeline {

// Collective over `ranks`. Rank 0 passes the loaded configuration's graph, the others null. Returns the exit code, the
// same on all ranks: of the first failed stage in graph order, or done, or interrupted. A stage's errors are logged and
// recorded, not thrown; what is wrong before the first stage (a missing input) is thrown on every rank. `interrupted`
// is set by signal handlers, and by the runner itself: on a failure under fail_fast, and in every group once rank 0
// stops.
ExitCode run_graph(const Graph* graph, const StageTable& kinds, const RunOptions& options,
                   distributed::Communicator& ranks, std::atomic<bool>& interrupted);

}  // namespace penstock::pipeline
