// What the report shows of the pipeline: stages, their parameters, inputs, outputs and attempts. Rank 0; reads the
// attempts of each published stage from the store.
#pragma once

#include <string>
#include <vector>

#include "pipeline/graph.h"
#include "pipeline/run/node_result.h"

namespace penstock::pipeline {

// As JSON:
// {"pipeline", "run", "label", "config", "environment": {...},
//  "stages": [{"name", "kind", "version", "state": "hit"|"ran"|"failed"|"interrupted"|"pruned"|"not reached", "reason",
//              "message", "seconds", "parameters": {...}, "inputs": {port: [..]}, "outputs": {port: digest},
//              "attempts": [{fields of Attempt but its log}]}]}
std::string lineage_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store);

}  // namespace penstock::pipeline
