#include "pipeline/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

template <typename Matches>
int position_of(const Graph& graph, const Matches& matches) {
  const auto found =
      std::find_if(graph.stages.begin(), graph.stages.end(), [&](const auto& stage) { return matches(*stage); });
  return found == graph.stages.end() ? -1 : static_cast<int>(found - graph.stages.begin());
}

}  // namespace

const Value& Node::value(const std::string& parameter) const {
  if (set) {
    if (const auto found = set->find(parameter); found != set->end()) return found->second;
  }
  return declaration->values.at(parameter);
}

Values Node::values() const {
  Values all = set ? *set : Values();
  all.insert(declaration->values.begin(), declaration->values.end());  // keeps what is there
  return all;
}

std::vector<int> upstreams_of(const Node& node) {
  std::vector<int> upstreams;
  for_each_upstream(node, [&](int upstream) { upstreams.push_back(upstream); });
  return upstreams;
}

namespace {

// The nearest of the nodes that `node` is made of for which is_it(node); nullptr when there is none.
template <typename IsIt>
const Node* nearest_input(const Graph& graph, const Node& node, const IsIt& is_it) {
  std::deque<int> open;
  std::unordered_set<int> seen;
  const auto push = [&](const Node& from) {
    for (const Input& input : from.inputs) {
      for (const Source& source : input.sources) {
        if (source.node >= 0 && seen.insert(source.node).second) open.push_back(source.node);
      }
    }
  };
  for (push(node); !open.empty(); open.pop_front()) {
    const Node& upstream = graph.nodes[open.front()];
    if (is_it(upstream)) return &upstream;
    push(upstream);
  }
  return nullptr;
}

bool has_fan_in(const Node& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [](const Input& input) { return input.fan_in(); });
}

}  // namespace

const Node* nearest_upstream(const Graph& graph, const Node& node, std::string_view kind) {
  return nearest_input(graph, node, [&](const Node& upstream) { return upstream.kind().name == kind; });
}

bool is_of_many_runs(const Graph& graph, const Node& node) {
  return has_fan_in(node) || nearest_input(graph, node, has_fan_in) != nullptr;
}

std::string Run::label() const {
  std::string text;
  for (const auto& [key, value] : axes) text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value.dump());
  return text;
}

int Graph::node_of(const Run& run, std::string_view stage) const {
  const int at = position_of(*this, [&](const StageDeclaration& one) { return one.stage == stage; });
  return at < 0 ? -1 : run.nodes[at];
}

int Graph::node_of_kind(const Run& run, std::string_view kind) const {
  const int at = position_of(*this, [&](const StageDeclaration& one) { return one.kind->name == kind; });
  return at < 0 ? -1 : run.nodes[at];
}

std::vector<std::string> Graph::stage_names() const {
  std::vector<std::string> names;
  for (const auto& stage : stages) names.push_back(stage->stage);
  return names;
}

void require_stage(const Graph& graph, const std::string& stage) {
  const std::vector<std::string> names = graph.stage_names();
  if (std::find(names.begin(), names.end(), stage) != names.end()) return;
  throw Error(ExitCode::usage, fmt::format("there is no stage '{}'{}", stage, instead_of(stage, names, "known:")));
}

}  // namespace penstock::pipeline
