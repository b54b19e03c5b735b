// runs/<pipeline>/[<run id>/]: the results for people; of a matrix, runs/<pipeline>/ itself has those that are made of
// several runs (an ensemble's). Copies of published outputs, never links into the store, and the
// report of the last invocation in which something ran or failed. Called by the run command on rank 0.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/graph.h"
#include "pipeline/plan/plan.h"
#include "pipeline/run/node_result.h"

namespace penstock::launch {

// In the working directory. Without a matrix the same for every run.
std::filesystem::path run_folder(const pipeline::Graph& graph, const pipeline::Run& run);

// Updates the folder, with the last of several runs also that of what is made of them, to what is published:
// report.html, metrics.json, metrics.csv, model/, and last run.json, which records what they were made from. Does
// nothing when all of the run was cached and the folder holds it already, each file with its size and digest.
void write_run_folder(const pipeline::Graph& graph, const pipeline::Run& run,
                      const std::vector<pipeline::NodeResult>& results, const pipeline::Publications& published,
                      const pipeline::Store& store);

}  // namespace penstock::launch
