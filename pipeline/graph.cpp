#include "pipeline/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "pipeline/digest.h"
#include "pipeline/draft.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

std::vector<std::string> upstreams(const DraftStage& stage) {
  std::vector<std::string> names;
  for (const DraftInput& input : stage.inputs) {
    for (const DraftSource& source : input.sources) {
      if (!source.stage.empty()) names.push_back(source.stage);
    }
  }
  for (const auto& [need, place] : stage.needs) names.push_back(need);
  return names;
}

// Depth first, each stage after its upstreams; the way back to a stage that is still open is a circle.
class Sorter {
 public:
  Sorter(const Draft& draft, Diagnostics& diagnostics) : draft_(draft), diagnostics_(diagnostics), state_(draft.stages.size()) {}

  std::vector<int> sort() {
    for (size_t i = 0; i < draft_.stages.size(); ++i) visit(static_cast<int>(i));
    return order_;
  }

 private:
  enum class Mark { unseen, open, done };

  void visit(int index) {
    const DraftStage& stage = draft_.stages[index];
    if (state_[index] == Mark::done) return;
    path_.push_back(stage.name);
    if (state_[index] == Mark::open) {
      const auto start = std::find(path_.begin(), path_.end(), stage.name);
      diagnostics_.error("E304", stage.position, fmt::format("stages need each other in a circle: {}", fmt::join(start, path_.end(), " -> ")), stage.name.size());
    } else {
      state_[index] = Mark::open;
      for (const std::string& name : upstreams(stage)) {
        const DraftStage* upstream = draft_.find(name);
        if (upstream != nullptr) visit(static_cast<int>(upstream - draft_.stages.data()));
      }
      state_[index] = Mark::done;
      order_.push_back(index);
    }
    path_.pop_back();
  }

  const Draft& draft_;
  Diagnostics& diagnostics_;
  std::vector<Mark> state_;
  std::vector<std::string> path_;
  std::vector<int> order_;
};

// Makes the nodes run by run; runs that agree on a stage's values and inputs share its node.
class Builder {
 public:
  Builder(const Draft& draft, const std::vector<int>& order, const std::vector<Point>& points, Diagnostics& diagnostics)
      : draft_(draft), order_(order), points_(points), diagnostics_(diagnostics) {}

  Graph build() {
    graph_.pipeline = draft_.name;
    graph_.store = draft_.store;
    graph_.has_matrix = draft_.matrix.has_value();
    for (const auto& [target, place] : draft_.targets) graph_.targets.push_back(target);
    if (graph_.targets.empty()) graph_.targets = sinks();
    for (const Point& point : points_) {
      Run run;
      run.axes = point;
      for (const auto& [key, value] : point) run.label += fmt::format("{}{}={}", run.label.empty() ? "" : " ", key, value.dump());
      graph_.runs.push_back(std::move(run));
    }
    // Stage by stage, so that a fan-in finds the nodes of every run; this is an execution order too.
    for (const int stage : order_) {
      for (size_t run = 0; run < points_.size(); ++run) add(draft_.stages[stage], static_cast<int>(run));
    }
    if (graph_.has_matrix) name_runs();
    return std::move(graph_);
  }

 private:
  std::vector<std::string> sinks() const {
    std::set<std::string> used;
    for (const DraftStage& stage : draft_.stages) {
      for (const std::string& name : upstreams(stage)) used.insert(name);
    }
    std::vector<std::string> names;
    for (const DraftStage& stage : draft_.stages) {
      if (!used.count(stage.name)) names.push_back(stage.name);
    }
    return names;
  }

  void add(const DraftStage& stage, int run) {
    // What can differ between two runs' instances of one stage: values that a point sets, and upstream nodes.
    std::string signature = stage.name;
    const std::string prefix = stage.name + ".";
    for (const auto& [key, value] : points_[run]) {
      if (key.starts_with(prefix)) signature += "|" + key + "=" + value.dump();
    }
    std::vector<Input> inputs = resolve(stage, run, signature);
    std::vector<int> needs;
    for (const auto& [need, place] : stage.needs) {
      needs.push_back(graph_.runs[run].node(need));
      signature += "&" + std::to_string(needs.back());
    }
    const auto [found, fresh] = nodes_.try_emplace(signature, static_cast<int>(graph_.nodes.size()));
    if (fresh) graph_.nodes.push_back(make_node(stage, run, std::move(inputs), std::move(needs)));
    graph_.nodes[found->second].runs.push_back(run);
    graph_.runs[run].nodes.emplace_back(stage.name, found->second);
  }

  std::vector<Input> resolve(const DraftStage& stage, int run, std::string& signature) const {
    std::vector<Input> inputs;
    for (const Port& port : stage.input_ports) {
      const auto given = std::find_if(stage.inputs.begin(), stage.inputs.end(), [&](const DraftInput& one) { return one.port == port.name; });
      if (given == stage.inputs.end()) continue;
      Input input{port.name, false, {}};
      for (const DraftSource& source : given->sources) {
        if (source.stage.empty()) {
          input.sources.push_back(source.outside);
          continue;
        }
        input.fan_in = input.fan_in || !source.fan.empty();
        for (const int from : gathered(source, run)) {
          Source one;
          one.node = graph_.runs[from].node(source.stage);
          one.port = source.port;
          one.position = source.position;
          if (!source.fan.empty()) one.run = std::to_string(from);  // becomes the id when ids are known
          signature += fmt::format(",{}:{}", one.node, source.fan.empty() ? "" : one.run);
          input.sources.push_back(std::move(one));
        }
      }
      inputs.push_back(std::move(input));
    }
    return inputs;
  }

  // The runs whose outputs a source takes: this one, all, or those that differ from this one in the named axis only.
  std::vector<int> gathered(const DraftSource& source, int run) const {
    if (source.fan.empty()) return {run};
    std::vector<int> runs;
    for (size_t other = 0; other < points_.size(); ++other) {
      const auto differs = [&](const std::pair<std::string, Value>& axis) {
        return axis.first != source.fan && std::find(points_[run].begin(), points_[run].end(), axis) == points_[run].end();
      };
      if (source.fan == "*" || std::none_of(points_[other].begin(), points_[other].end(), differs)) runs.push_back(static_cast<int>(other));
    }
    return runs;
  }

  Node make_node(const DraftStage& stage, int run, std::vector<Input> inputs, std::vector<int> needs) {
    Node node;
    node.stage = stage.name;
    node.kind = stage.kind;
    node.values = stage.plain_values();
    const std::string prefix = stage.name + ".";
    for (const auto& [key, value] : points_[run]) {
      if (key.starts_with(prefix)) node.values[key.substr(prefix.size())] = value;
    }
    node.inputs = std::move(inputs);
    node.needs = std::move(needs);
    node.input_ports = stage.input_ports;
    node.output_ports = stage.output_ports;
    node.cacheable = stage.cacheable;
    node.resume = stage.resume;
    node.position = stage.position;
    if (stage.kind->check) {
      Problems problems;
      stage.kind->check(node.values, problems);
      for (const auto& [parameter, sentence] : problems) {
        const auto given = stage.values.find(parameter);
        diagnostics_.error("E204", given == stage.values.end() ? stage.position : given->second.position, fmt::format("stage '{}': {}", stage.name, sentence), parameter.size());
      }
    }
    return node;
  }

  void name_runs() {
    std::vector<Digest> parameters;
    for (const Node& node : graph_.nodes) {
      Hasher hasher;
      hasher.field(node.stage).field(node.kind->name);
      for (const Specification& one : node.kind->parameters) {
        if (one.about.affects_output) hasher.field(one.name).field(node.values.at(one.name).dump());
      }
      parameters.push_back(hasher.finish());
    }
    std::map<std::string, int> seen;
    for (size_t i = 0; i < graph_.runs.size(); ++i) {
      Hasher hasher;
      for (const auto& [stage, node] : graph_.runs[i].nodes) {
        if (graph_.nodes[node].kind->name != "report") hasher.field(parameters[node]);
      }
      graph_.runs[i].id = hasher.finish().hex().substr(0, 10);
      const auto [other, fresh] = seen.try_emplace(graph_.runs[i].id, static_cast<int>(i));
      if (!fresh) diagnostics_.error("E404", draft_.matrix_position, fmt::format("the matrix gives one run twice: {}", graph_.runs[i].label), 6);
    }
    for (Node& node : graph_.nodes) {
      for (Input& input : node.inputs) {
        for (Source& source : input.sources) {
          if (!source.run.empty()) source.run = graph_.runs[std::stoul(source.run)].id;
        }
      }
    }
  }

  const Draft& draft_;
  const std::vector<int>& order_;
  const std::vector<Point>& points_;
  Diagnostics& diagnostics_;
  Graph graph_;
  std::unordered_map<std::string, int> nodes_;
};

}  // namespace

int Run::node(std::string_view stage) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [stage](const auto& one) { return one.first == stage; });
  return found == nodes.end() ? -1 : found->second;
}

std::vector<int> needed_nodes(const Graph& graph, const std::vector<std::string>& targets) {
  std::vector<bool> needed(graph.nodes.size());
  for (const std::string& target : targets) {
    std::vector<std::string> names;
    bool found = false;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      names.push_back(graph.nodes[i].stage);
      if (graph.nodes[i].stage == target) needed[i] = found = true;
    }
    if (!found) throw Error(ExitCode::usage, fmt::format("there is no stage '{}'{}", target, did_you_mean(target, names)));
  }
  std::vector<int> order;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    if (!needed[i]) continue;
    order.push_back(static_cast<int>(i));
    for (const Input& input : graph.nodes[i].inputs) {
      for (const Source& source : input.sources) {
        if (source.node >= 0) needed[source.node] = true;
      }
    }
    for (const int need : graph.nodes[i].needs) needed[need] = true;
  }
  std::reverse(order.begin(), order.end());
  return order;
}

std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics) { return Sorter(draft, diagnostics).sort(); }

Graph build_graph(const Draft& draft, const std::vector<int>& order, const std::vector<Point>& points, Diagnostics& diagnostics) {
  return Builder(draft, order, points, diagnostics).build();
}

}  // namespace penstock::pipeline
