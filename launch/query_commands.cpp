// The commands that look and run nothing: plan, validate, explain, config, stages.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "distributed/check.h"
#include "launch/commands.h"
#include "pipeline/reference.h"
#include "pipeline/suggestion.h"

namespace penstock::launch {
namespace {

using pipeline::Graph;
using pipeline::PlannedNode;
using pipeline::Value;

struct Looked {
  Graph graph;
  pipeline::Plan plan;
};

Looked look(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  Looked looked{pipeline::load_config(request_of(options), kinds).graph, {}};
  const pipeline::Store store(looked.graph.store, pipeline::Store::Mode::read_only);
  pipeline::StatCache inputs(pipeline::user_cache_folder());
  if (options.verify_inputs) inputs.distrust();
  looked.plan = pipeline::make_plan(looked.graph, selection_of(options), store, inputs);
  return looked;
}

const char* name_of(pipeline::State state) { return state == pipeline::State::hit ? "hit" : "run"; }

// "train" or, where a matrix gives a stage several instances, "train@1f0a2b3c4d" (the first run that holds it).
std::string label_of(const Graph& graph, int node) {
  const pipeline::Node& instance = graph.nodes[node];
  if (!graph.has_matrix || instance.runs.size() == graph.runs.size()) return instance.stage;
  return instance.stage + "@" + graph.runs[instance.runs.front()].id;
}

Value plan_json(const Looked& looked) {
  Value stages = Value::array();
  for (const PlannedNode& planned : looked.plan.nodes) {
    const pipeline::Node& node = looked.graph.nodes[planned.node];
    Value run = nullptr;
    if (looked.graph.has_matrix && node.runs.size() < looked.graph.runs.size()) {
      run = looked.graph.runs[node.runs.front()].id;
    }
    stages.push_back(
        {{"stage", node.stage}, {"run", run}, {"state", name_of(planned.state)}, {"reason", planned.reason}});
  }
  return {{"runs", looked.graph.runs.size()}, {"stages", std::move(stages)}};
}

// The node that "train" or "train@RUN" means.
int find_node(const Graph& graph, const std::string& text) {
  const size_t at = text.find('@');
  const std::string stage = text.substr(0, at);
  const std::string id = at == std::string::npos ? "" : text.substr(at + 1);
  std::vector<std::string> names;
  std::vector<int> found;
  for (const pipeline::Run& run : graph.runs) {
    for (const auto& [name, node] : run.nodes) names.push_back(name);
    if (!id.empty() && !run.id.starts_with(id)) continue;
    const int node = run.node(stage);
    if (node >= 0 && std::find(found.begin(), found.end(), node) == found.end()) found.push_back(node);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    throw Error(ExitCode::usage, fmt::format("explain: stage '{}' has {} instances; name one as {}@RUN (see `penstock plan`)",
                                             stage, found.size(), stage));
  }
  const auto near = pipeline::nearest_name(stage, names);
  throw Error(ExitCode::usage, fmt::format("explain: there is no stage '{}'{}", text,
                                           near && *near != stage ? "; did you mean '" + *near + "'?" : ""));
}

}  // namespace

int plan_command(const ConfigOptions& options, bool count, const Voice& voice, const pipeline::StageTable& kinds) {
  const Looked looked = look(options, kinds);
  const auto running = std::count_if(looked.plan.nodes.begin(), looked.plan.nodes.end(),
                                     [](const PlannedNode& node) { return node.state == pipeline::State::run; });
  if (voice.json) {
    std::cout << plan_json(looked).dump() << '\n';
    return 0;
  }
  if (!count) {
    for (const PlannedNode& planned : looked.plan.nodes) {
      std::cout << fmt::format("{:4} {:24} {}\n", name_of(planned.state), label_of(looked.graph, planned.node), planned.reason);
    }
  }
  std::cout << fmt::format("{} of {} stages would run{}\n", running, looked.plan.nodes.size(),
                           looked.graph.has_matrix ? fmt::format(" in {} runs", looked.graph.runs.size()) : "");
  return 0;
}

int validate_command(const ConfigOptions& options, const Voice& voice, const pipeline::StageTable& kinds) {
  const Graph graph = pipeline::load_config(request_of(options), kinds).graph;
  const size_t stages = graph.nodes.size();
  if (voice.json) {
    std::cout << Value{{"valid", true}, {"runs", graph.runs.size()}, {"stages", stages}}.dump() << '\n';
  } else {
    std::cout << fmt::format("{}: valid; {} stages, {} run{}\n", options.file.string(), stages, graph.runs.size(),
                             graph.runs.size() == 1 ? "" : "s");
  }
  return 0;
}

int explain_command(const ConfigOptions& options, const std::string& stage, const Voice& voice,
                    const pipeline::StageTable& kinds) {
  ConfigOptions only = options;
  only.targets = {stage.substr(0, stage.find('@'))};
  const Looked looked = look(only, kinds);
  const int node = find_node(looked.graph, stage);
  const auto planned = std::find_if(looked.plan.nodes.begin(), looked.plan.nodes.end(),
                                    [node](const PlannedNode& one) { return one.node == node; });
  PENSTOCK_CHECK(planned != looked.plan.nodes.end(), "a stage that was asked for is in its own plan");

  std::vector<pipeline::Difference> differences;
  const pipeline::Store store(looked.graph.store, pipeline::Store::Mode::read_only);
  if (planned->state == pipeline::State::run && planned->fields) {
    if (const auto before = store.nearest(*planned->fields)) {
      differences = pipeline::differences(before->fields, *planned->fields);
    }
  }
  if (voice.json) {
    Value rows = Value::array();
    for (const auto& one : differences) {
      rows.push_back({{"field", one.field}, {"before", one.before}, {"after", one.after}});
    }
    std::cout << Value{{"stage", stage}, {"state", name_of(planned->state)}, {"reason", planned->reason}, {"differences", rows}}.dump()
              << '\n';
    return 0;
  }
  std::cout << fmt::format("{}: {}: {}\n", label_of(looked.graph, node),
                           planned->state == pipeline::State::hit ? "nothing to do" : "would run", planned->reason);
  for (const auto& one : differences) std::cout << fmt::format("  {}: {} -> {}\n", one.field, one.before, one.after);
  return 0;
}

int config_command(const ConfigOptions& options, bool origin, const Voice& voice, const pipeline::StageTable& kinds) {
  const auto loaded = pipeline::load_config(request_of(options), kinds);
  if (voice.json) {
    Value rows = Value::array();
    for (const auto& setting : loaded.settings) {
      rows.push_back({{"key", setting.key}, {"value", setting.value}, {"origin", setting.origin}});
    }
    std::cout << rows.dump() << '\n';
    return 0;
  }
  size_t width = 0;
  for (const auto& setting : loaded.settings) width = std::max(width, setting.key.size() + setting.value.dump().size() + 3);
  for (const auto& setting : loaded.settings) {
    const std::string line = setting.key + " = " + setting.value.dump();
    std::cout << (origin ? fmt::format("{:{}}  # {}\n", line, std::min<size_t>(width, 60), setting.origin) : line + "\n");
  }
  return 0;
}

int stages_command(const std::string& kind, const Voice& voice, const pipeline::StageTable& kinds) {
  if (kind.empty()) {
    Value rows = Value::array();
    for (const pipeline::StageKind& one : kinds) {
      rows.push_back({{"kind", one.name}, {"version", one.version}, {"summary", one.summary}});
      if (!voice.json) std::cout << fmt::format("{:12} {}\n", one.name, one.summary);
    }
    if (voice.json) std::cout << rows.dump() << '\n';
    return 0;
  }
  const pipeline::StageKind* found = pipeline::find_kind(kinds, kind);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const pipeline::StageKind& one : kinds) names.push_back(one.name);
    const auto near = pipeline::nearest_name(kind, names);
    throw Error(ExitCode::usage, fmt::format("stages: there is no kind '{}'{}", kind, near ? "; did you mean '" + *near + "'?" : ""));
  }
  std::cout << pipeline::describe_kind(*found);
  return 0;
}

}  // namespace penstock::launch
