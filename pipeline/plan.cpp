#include "pipeline/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

Digest outside_digest(const Graph& graph, int node, const std::string& port, const Source& source, StatCache& inputs) {
  const auto refuse = [&](const std::string& problem) -> Error {
    std::string text = fmt::format("{}: input '{}' of stage '{}': {}", to_string(source.position), port,
                                   graph.nodes[node].stage, problem);
    if (!source.origin.empty()) text += "\n" + source.origin;
    return Error(ExitCode::data, text);
  };
  Digest digest;
  try {
    digest = inputs.digest(source.external);
  } catch (const Error& error) {
    throw refuse(error.what());
  }
  if (!source.sha256.empty() && digest.hex() != source.sha256) {
    throw refuse(fmt::format("{} has sha256 {}, the configuration pins {}", source.external.string(), digest.hex(), source.sha256));
  }
  return digest;
}

// Builds a plan node by node, upstreams first.
class Planner {
 public:
  Planner(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs)
      : graph_(graph), selection_(selection), store_(store), inputs_(inputs) {}

  Plan plan() {
    const std::vector<int> needed = needed_nodes(graph_, targets());
    for (const int node : needed) look_up(node);
    mark_needed(needed);
    std::erase_if(plan_.nodes, [this](const PlannedNode& one) { return one.state == State::run && !wanted_.count(one.node); });
    return std::move(plan_);
  }

 private:
  std::vector<std::string> targets() const {
    if (selection_.until) return {*selection_.until};
    return selection_.targets.empty() ? graph_.targets : selection_.targets;
  }

  bool forced(const Node& node) const {
    return selection_.force_all || selection_.forced.count(node.stage) || !node.cacheable;
  }

  bool runs(int node) const {
    const PlannedNode* planned = plan_.find(node);
    return planned == nullptr || planned->state == State::run;
  }

  void look_up(int index) {
    const Node& node = graph_.nodes[index];
    const auto environment = node.kind->environment ? node.kind->environment(node.values) : std::map<std::string, std::string>();
    plan_.own.emplace(index, own_fields(node, environment));
    for (const Input& input : node.inputs) {
      for (const Source& source : input.sources) {
        if (source.node < 0) plan_.outside[index].push_back(outside_digest(graph_, index, input.port, source, inputs_));
      }
    }
    PlannedNode planned;
    planned.node = index;
    planned.recipe = recipe_key(index);
    recipes_.emplace(index, planned.recipe);
    decide(planned, node);
    if (planned.manifest) published_.emplace(index, *planned.manifest);
    plan_.nodes.push_back(std::move(planned));
  }

  Digest recipe_key(int index) const {
    const Node& node = graph_.nodes[index];
    std::vector<std::vector<SourceDigest>> digests;
    size_t outside = 0;
    for (const Input& input : node.inputs) {
      auto& all = digests.emplace_back();
      for (const Source& source : input.sources) {
        if (source.node < 0) {
          all.push_back({source.run, plan_.outside.at(index)[outside++]});
        } else if (!is_volatile(graph_, source)) {
          all.push_back({source.run, Hasher().field("recipe").field(recipes_.at(source.node)).field(source.port).finish()});
        }
      }
    }
    return with_inputs(plan_.own.at(index), node, digests).key();
  }

  void decide(PlannedNode& planned, const Node& node) {
    std::vector<std::string> running;
    for (const Input& input : node.inputs) {
      for (const Source& source : input.sources) {
        if (source.node >= 0 && runs(source.node)) running.push_back(graph_.nodes[source.node].stage);
      }
    }
    if (running.empty()) planned.fields = action_fields(graph_, planned.node, plan_, published_);
    if (forced(node)) {
      planned.reason = node.cacheable ? "forced" : "cacheable = false";
      return;
    }
    if ((planned.manifest = store_.find_recipe(planned.recipe))) {
      planned.state = State::hit;
      planned.reason = "done before";
    } else if (planned.fields && (planned.manifest = store_.find_action(planned.fields->key()))) {
      planned.state = State::hit;
      planned.reason = "same inputs as before";
    } else {
      planned.reason = why(planned, running);
    }
  }

  // The first difference from what was done before; else the upstream that will run.
  std::string why(const PlannedNode& planned, const std::vector<std::string>& running) const {
    const KeyFields& mine = planned.fields ? *planned.fields : plan_.own.at(planned.node);
    const auto before = store_.nearest(mine);
    if (!before) return "new";
    auto found = differences(before->fields, mine);
    if (!planned.fields) std::erase_if(found, [](const Difference& one) { return one.field.starts_with("input "); });
    if (!found.empty()) {
      std::string text = fmt::format("{}: {} -> {}", found[0].field, found[0].before, found[0].after);
      if (found.size() > 1) text += fmt::format(" and {} more", found.size() - 1);
      return text;
    }
    if (!running.empty()) return fmt::format("upstream {} runs", running.front());
    return "its stored output is gone";
  }

  // A target is wanted; so is whatever a running node takes or waits for.
  void mark_needed(const std::vector<int>& needed) {
    const auto names = targets();
    for (auto index = needed.rbegin(); index != needed.rend(); ++index) {
      const Node& node = graph_.nodes[*index];
      if (std::find(names.begin(), names.end(), node.stage) != names.end() || forced(node)) wanted_.insert(*index);
      if (!wanted_.count(*index) || !runs(*index)) continue;
      for (const Input& input : node.inputs) {
        for (const Source& source : input.sources) {
          if (source.node >= 0) wanted_.insert(source.node);
        }
      }
      wanted_.insert(node.needs.begin(), node.needs.end());
    }
  }

  const Graph& graph_;
  const Selection& selection_;
  const Store& store_;
  StatCache& inputs_;
  Plan plan_;
  std::map<int, Digest> recipes_;
  std::map<int, Manifest> published_;
  std::set<int> wanted_;
};

}  // namespace

const PlannedNode* Plan::find(int node) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [node](const PlannedNode& one) { return one.node == node; });
  return found == nodes.end() ? nullptr : &*found;
}

bool is_volatile(const Graph& graph, const Source& source) {
  if (source.node < 0) return false;
  const auto& ports = graph.nodes[source.node].output_ports;
  return std::any_of(ports.begin(), ports.end(), [&](const Port& port) { return port.name == source.port && port.is_volatile; });
}

KeyFields action_fields(const Graph& graph, int node, const Plan& plan, const std::map<int, Manifest>& published) {
  std::vector<std::vector<SourceDigest>> digests;
  size_t outside = 0;
  for (const Input& input : graph.nodes[node].inputs) {
    auto& all = digests.emplace_back();
    for (const Source& source : input.sources) {
      if (source.node < 0) {
        all.push_back({source.run, plan.outside.at(node)[outside++]});
      } else if (!is_volatile(graph, source)) {
        const PublishedPort* port = published.at(source.node).port(source.port);
        PENSTOCK_CHECK(port != nullptr, "a published stage has every port that it declares");
        all.push_back({source.run, port->digest});
      }
    }
  }
  return with_inputs(plan.own.at(node), graph.nodes[node], digests);
}

Plan make_plan(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs) {
  for (const std::string& stage : selection.forced) needed_nodes(graph, {stage});  // refuses a name that no run has
  return Planner(graph, selection, store, inputs).plan();
}

}  // namespace penstock::pipeline
