#include "launch/job/planned_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::launch {

using pipeline::Graph;

PlannedConfig plan_config(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  Graph graph = pipeline::load_config(request_of(options), kinds).graph;
  pipeline::Store store(graph.store, pipeline::Store::Mode::read_only);
  pipeline::StatCache inputs(pipeline::user_cache_folder());
  if (options.verify_inputs) inputs.distrust();
  pipeline::Plan plan = pipeline::make_plan(graph, selection_of(options), store, inputs);
  return {std::move(graph), std::move(store), std::move(plan)};
}

std::string label_of(const Graph& graph, int node) {
  const pipeline::Node& instance = graph.nodes[node];
  if (!graph.has_matrix || instance.runs.size() == graph.runs.size()) return instance.stage();
  return instance.stage() + "@" + graph.runs[instance.runs.front()].id;
}

int find_node(const Graph& graph, const std::string& text) {
  const size_t at = text.find('@');
  const std::string stage = text.substr(0, at);
  const std::string id = at == std::string::npos ? "" : text.substr(at + 1);
  pipeline::require_stage(graph, stage);
  std::vector<int> found;
  for (const pipeline::Run& run : graph.runs) {
    if (!run.id.starts_with(id)) continue;
    const int node = graph.node_of(run, stage);
    if (std::find(found.begin(), found.end(), node) == found.end()) found.push_back(node);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) throw Error(ExitCode::usage, fmt::format("there is no run '{}' (see `penstock runs`)", id));
  throw Error(ExitCode::usage, fmt::format("stage '{}' has {} instances; name one as {}@RUN (see `penstock runs`)",
                                           stage, found.size(), stage));
}

}  // namespace penstock::launch
