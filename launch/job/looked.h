// A configuration held against its store: what the commands that run nothing look at.
#pragma once

#include <string>

#include "launch/job/options.h"
#include "pipeline/plan/explain.h"
#include "pipeline/stage.h"

namespace penstock::launch {

struct Looked {
  pipeline::Graph graph;
  pipeline::Store store;
  pipeline::Plan plan;
};

Looked look(const ConfigOptions& options, const pipeline::StageTable& kinds);

// "train" or, where a matrix gives a stage several instances, "train@1f0a2b3c4d" (the first run that holds it).
std::string label_of(const pipeline::Graph& graph, int node);

// The instance that "train" or "train@RUN" means, RUN being the beginning of a run's id. Throws Error(usage).
int find_node(const pipeline::Graph& graph, const std::string& text);

}  // namespace penstock::launch
