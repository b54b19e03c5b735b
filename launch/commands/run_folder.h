// runs/<pipeline>/[<run id>/]: what people read. Copies of published outputs, never links into the store, and a report
// of every invocation in which something ran or failed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/run/runner.h"

namespace penstock::launch {

// In the working directory. Without a matrix the same for every run.
std::filesystem::path run_folder(const pipeline::Graph& graph, const pipeline::Run& run);

// Brings the folder up to date with what is published: report.html, metrics.json, metrics.csv, model/, and last
// run.json, which says what they were made from. Does nothing when all of the run was cached and the folder holds it
// already, each file with its size and digest.
void write_run_folder(const pipeline::Graph& graph, const pipeline::Run& run,
                      const std::vector<pipeline::NodeResult>& results, const pipeline::Store& store);

}  // namespace penstock::launch
