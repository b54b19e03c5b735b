// Several stage instances side by side: the ranks of a job in groups of one size, which take orders from rank 0. Used
// by the runner.
#pragma once

#include "pipeline/run/conductor.h"
#include "pipeline/run/stage_run.h"

namespace penstock::pipeline {

// Every rank but rank 0 of `tools.ranks`: carries out rank 0's instructions until EndFollowing. Returns the code that
// rank 0 ended with; throws the error that rank 0 throws on every rank. Without a store the first instruction says
// where it is.
ExitCode follow(const RankTools& tools, const RunOptions& options, Store* store = nullptr);

// Rank 0, while the others follow. Returns when nothing is left for groups of `width` ranks.
void run_in_groups(int width, Conductor& conductor, const RankTools& tools, const RunOptions& options, Store& store);

}  // namespace penstock::pipeline
