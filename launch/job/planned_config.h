// A configuration with its plan against the store, for the commands that run no stage. Reads the store, changes
// nothing.
#pragma once

#include <string>

#include "launch/job/options.h"
#include "pipeline/plan/explain.h"
#include "pipeline/stage.h"

namespace penstock::launch {

struct PlannedConfig {
  pipeline::Graph graph;
  pipeline::Store store;
  pipeline::Plan plan;
};

PlannedConfig plan_config(const ConfigOptions& options, const pipeline::StageTable& kinds);

// "train" or, where a matrix gives a stage several instances, "train@1f0a2b3c4d" (the first run that holds it).
std::string label_of(const pipeline::Graph& graph, int node);

// The instance that "train" or "train@RUN" means, RUN being the beginning of a run's id. Throws Error(usage).
int find_node(const pipeline::Graph& graph, const std::string& text);

}  // namespace penstock::launch
