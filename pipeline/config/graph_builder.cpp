#include "pipeline/config/graph_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "pipeline/config/draft_checks.h"
#include "pipeline/digest.h"
#include "pipeline/keys.h"

namespace penstock::pipeline {
namespace {

// What can differ between two runs' instances of one stage: what the matrix sets, and the nodes upstream. Two instances
// of equal signature are one node.
using Signature = std::vector<int>;
struct SignatureHash {
  size_t operator()(const Signature& signature) const {
    size_t hash = 0x9e3779b97f4a7c15;
    for (const int part : signature) hash = (hash ^ static_cast<size_t>(part)) * 0x100000001b3;
    return hash;
  }
};

// Runs that a fan-in over one axis (or all, "*") gathers: those that differ from each other in that axis only.
struct Gathering {
  std::vector<int> group;                // of each run
  std::vector<std::vector<int>> groups;  // the runs of each group
};

class Builder {
 public:
  Builder(const Draft& draft, const MatrixDraft& matrix, const std::vector<int>& order,
          const std::vector<Point>& points, Diagnostics& diagnostics)
      : draft_(draft), matrix_(matrix), order_(order), points_(points), diagnostics_(diagnostics) {}

  Graph build() {
    graph_.pipeline = draft_.name;
    graph_.store = draft_.store;
    graph_.has_matrix = draft_.matrix.has_value();
    graph_.seed_axis = seed_axis();
    for (const auto& [target, place] : draft_.targets) graph_.targets.push_back(target);
    if (graph_.targets.empty()) graph_.targets = sinks();
    graph_.runs.resize(points_.size());
    for (size_t run = 0; run < points_.size(); ++run) {
      graph_.runs[run].axes = points_[run].values;
      graph_.runs[run].nodes.reserve(order_.size());
    }
    // Stage by stage, so that a fan-in finds the nodes of every run.
    for (const int stage : order_) add_stage(draft_.stages[stage]);
    for (const Node& node : graph_.nodes) check(node);
    if (graph_.has_matrix) name_runs();
    return std::move(graph_);
  }

 private:
  std::vector<std::string> sinks() const {
    std::set<std::string> used;
    for (const DraftStage& stage : draft_.stages) {
      for (const std::string& name : stage.upstreams()) used.insert(name);
    }
    std::vector<std::string> names;
    for (const DraftStage& stage : draft_.stages) {
      if (!used.count(stage.name())) names.push_back(stage.name());
    }
    return names;
  }

  std::string seed_axis() const {
    const Member* seeds = draft_.matrix ? draft_.matrix->find("seeds") : nullptr;
    const Member* path = seeds ? seeds->tree.find("path") : nullptr;
    return path ? path->tree.value.get<std::string>() : "";
  }

  void add_stage(const DraftStage& draft) {
    const StageDeclaration& stage = declare(draft);
    std::vector<std::pair<int, const Gathering*>> upstreams;  // place of the stage, and how it is gathered
    std::vector<int> needs;
    for (const DeclaredInput& input : stage.inputs) {
      for (const DraftSource& source : draft.input(input.port)->sources) {
        upstreams.emplace_back(source.stage.empty() ? -1 : places_.at(source.stage),
                               source.fan.empty() ? nullptr : &gathering(source.fan));
      }
    }
    for (const auto& [need, place] : draft.needs) needs.push_back(places_.at(need));

    std::unordered_map<Signature, int, SignatureHash> known;
    std::map<std::string, std::pair<int, std::shared_ptr<const Values>>> sets;
    for (size_t run = 0; run < points_.size(); ++run) {
      const auto [set_number, set] = intern(draft, points_[run], sets);
      Signature signature = {set_number};
      for (const auto& [place, gathered] : upstreams) {
        signature.push_back(place < 0 ? -1 : gathered ? gathered->group[run] : graph_.runs[run].nodes[place]);
      }
      for (const int place : needs) signature.push_back(graph_.runs[run].nodes[place]);
      const auto [found, fresh] = known.try_emplace(std::move(signature), static_cast<int>(graph_.nodes.size()));
      if (fresh) graph_.nodes.push_back(make_node(stage, set, upstreams, needs, static_cast<int>(run)));
      graph_.nodes[found->second].runs.push_back(static_cast<int>(run));
      graph_.runs[run].nodes.push_back(found->second);
    }
    places_.emplace(stage.stage, static_cast<int>(places_.size()));
  }

  const StageDeclaration& declare(const DraftStage& draft) {
    auto stage = std::make_unique<StageDeclaration>(draft.declaration);
    stage->values = draft.plain_values();
    for (const Port& port : stage->input_ports) {
      const DraftInput* given = draft.input(port.name);
      if (given == nullptr) continue;
      DeclaredInput& input = stage->inputs.emplace_back();
      input.port = port.name;
      for (const DraftSource& source : given->sources) {
        input.fan_in = input.fan_in || !source.fan.empty();
        input.sources.push_back(source.declared);
      }
    }
    graph_.stages.push_back(std::move(stage));
    return *graph_.stages.back();
  }

  // What a point sets of this stage, each combination kept once, with its number; 0 is nothing.
  static std::pair<int, std::shared_ptr<const Values>> intern(
      const DraftStage& stage, const Point& point,
      std::map<std::string, std::pair<int, std::shared_ptr<const Values>>>& sets) {
    const std::string prefix = stage.name() + ".";
    Assignment mine;
    for (const auto& [key, value] : point.values) {
      if (key.starts_with(prefix)) mine.emplace_back(key.substr(prefix.size()), value);
    }
    if (mine.empty()) return {0, nullptr};
    auto& kept = sets[text_of(mine)];
    if (kept.first == 0) kept = {static_cast<int>(sets.size()), std::make_shared<Values>(mine.begin(), mine.end())};
    return kept;
  }

  Node make_node(const StageDeclaration& stage, std::shared_ptr<const Values> set,
                 const std::vector<std::pair<int, const Gathering*>>& upstreams, const std::vector<int>& needs,
                 int run) const {
    Node node;
    node.declaration = &stage;
    node.set = std::move(set);
    node.inputs.reserve(stage.inputs.size());
    size_t next = 0;
    for (const DeclaredInput& input : stage.inputs) {
      Input& made = node.inputs.emplace_back();
      made.declared = &input;
      if (input.sources.size() == 1 && !input.fan_in) made.sources.reserve(1);
      for (const DeclaredSource& source : input.sources) {
        const auto& [place, gathered] = upstreams[next++];
        if (place < 0) {
          made.sources.push_back({-1, -1, &source});
        } else if (gathered == nullptr) {
          made.sources.push_back({graph_.runs[run].nodes[place], -1, &source});
        } else {
          for (const int from : gathered->groups[gathered->group[run]])
            made.sources.push_back({graph_.runs[from].nodes[place], from, &source});
        }
      }
    }
    for (const int place : needs) node.needs.push_back(graph_.runs[run].nodes[place]);
    return node;
  }

  const Gathering& gathering(const std::string& fan) {
    const auto [found, fresh] = gatherings_.try_emplace(fan);
    if (!fresh) return found->second;
    std::unordered_map<std::string, int> numbers;
    Gathering& made = found->second;
    for (size_t run = 0; run < points_.size(); ++run) {
      const int number =
          fan == "*"
              ? 0
              : numbers.try_emplace(text_of(points_[run].values, fan), static_cast<int>(numbers.size())).first->second;
      made.group.push_back(number);
      made.groups.resize(std::max(made.groups.size(), static_cast<size_t>(number) + 1));
      made.groups[number].push_back(static_cast<int>(run));
    }
    return made;
  }

  // ---- parameters that do not fit together ----
  void check(const Node& node) {
    if (!node.kind().check) return;
    const Values values = node.values();
    std::vector<std::string> inputs;
    for (const Input& input : node.inputs) inputs.push_back(input.port());
    const auto upstream = [&](std::string_view kind, const std::string& parameter) -> std::optional<Value> {
      const Node* found = nearest_upstream(graph_, node, kind);
      return found == nullptr ? std::nullopt : std::optional(found->value(parameter));
    };
    Problems problems;
    std::vector<std::string> given = draft_.find(node.stage())->given();
    if (node.set) {
      for (const auto& [parameter, value] : *node.set) given.push_back(parameter);
    }
    node.kind().check({values, upstream, inputs, given}, problems);
    for (const Problem& problem : problems) {
      std::optional<Note> note;
      if (const Node* related =
              problem.related_kind.empty() ? nullptr : nearest_upstream(graph_, node, problem.related_kind)) {
        note = {place_of(*related, problem.related_parameter),
                fmt::format("'{}' of stage '{}' is {}", problem.related_parameter, related->stage(),
                            related->value(problem.related_parameter).dump())};
      }
      report_problem(node.stage(), problem, place_of(node, problem.parameter), note, diagnostics_);
    }
  }

  // Where a parameter's value was written: in the matrix, if that sets it here.
  Position place_of(const Node& node, const std::string& parameter) const {
    if (node.set && node.set->count(parameter)) {
      if (const auto place = matrix_.place_of(node.stage() + "." + parameter, node.value(parameter))) return *place;
    }
    const DraftStage* draft = draft_.find(node.stage());
    const auto given = draft->values.find(parameter);
    return given == draft->values.end() ? draft->position() : given->second.position;
  }

  // ---- ids ----
  void name_runs() {
    std::vector<Digest> parameters;
    std::map<std::pair<const StageDeclaration*, const Values*>, Digest> known;
    for (const Node& node : graph_.nodes) {
      const auto [found, fresh] = known.try_emplace({node.declaration, node.set.get()});
      if (fresh) found->second = digest_of_parameters(node);
      parameters.push_back(found->second);
    }
    std::unordered_map<std::string, size_t> seen;
    std::vector<std::pair<size_t, size_t>> twice;
    for (size_t i = 0; i < graph_.runs.size(); ++i) {
      Hasher hasher;
      for (const int node : graph_.runs[i].nodes) {
        if (graph_.nodes[node].kind().name != "report") hasher.field(parameters[node]);
      }
      graph_.runs[i].id = hasher.finish().hex().substr(0, 10);
      const auto [first, fresh] = seen.try_emplace(graph_.runs[i].id, i);
      if (!fresh) twice.emplace_back(first->second, i);
    }
    if (!twice.empty()) refuse_twice(twice);
  }

  // One pair stands for all: they have one cause.
  void refuse_twice(const std::vector<std::pair<size_t, size_t>>& pairs) {
    const auto [first, second] = pairs.front();
    const std::string one = graph_.runs[first].label(), other = graph_.runs[second].label();
    const std::set<std::string> differ = differences(first, second);
    std::string sentence = fmt::format("the matrix gives the run '{}' twice", one);
    if (!differ.empty()) {
      sentence = fmt::format(
          "the matrix gives one run twice: '{}' and '{}' differ only in parameters that change no result ({})", one,
          other, fmt::join(differ, ", "));
    } else if (one != other) {
      sentence = fmt::format(
          "the matrix gives one run twice: '{}' and '{}' are the same, as a parameter that is not named keeps the "
          "value of its stage",
          one, other);
    }
    if (pairs.size() > 1) sentence += fmt::format("; {} more like it", pairs.size() - 1);
    std::vector<Note> notes;
    const bool included = points_[second].include >= 0;
    if (included)
      notes.push_back(
          {place_of_run(first), points_[first].include < 0 ? "the first comes from here" : "the first is here"});
    if (!included && differ.empty()) {  // axes alone make no run twice
      for (const ConditionalSet& set : matrix_.sets) notes.push_back({set.when.position, "this set makes runs alike"});
    }
    diagnostics_.error("E404", place_of_run(second), sentence, notes);
  }

  // The include that adds a run, or the first axis.
  Position place_of_run(size_t run) const {
    if (points_[run].include >= 0) return matrix_.includes[points_[run].include].position;
    return matrix_.factors.empty() ? draft_.matrix_position : matrix_.factors.front().position;
  }

  // Parameters that two runs give different values.
  std::set<std::string> differences(size_t first, size_t second) const {
    std::set<std::string> differ;
    for (const auto& [run, other] : {std::pair(first, second), std::pair(second, first)}) {
      for (const auto& [key, value] : points_[run].values) {
        const size_t dot = key.find('.');
        if (graph_.nodes[graph_.node_of(graph_.runs[other], key.substr(0, dot))].value(key.substr(dot + 1)) != value)
          differ.insert(key);
      }
    }
    return differ;
  }

  static Digest digest_of_parameters(const Node& node) {
    Hasher hasher;
    hasher.field(node.stage()).field(node.kind().name);
    for (const Specification& one : node.kind().parameters) {
      if (one.about.affects_output) add_to(hasher.field(one.name), node.value(one.name));
    }
    return hasher.finish();
  }

  const Draft& draft_;
  const MatrixDraft& matrix_;
  const std::vector<int>& order_;
  const std::vector<Point>& points_;
  Diagnostics& diagnostics_;
  Graph graph_;
  std::map<std::string, int> places_;  // stage -> index into Graph::stages
  std::map<std::string, Gathering> gatherings_;
};

}  // namespace

Graph build_graph(const Draft& draft, const MatrixDraft& matrix, const std::vector<int>& order,
                  const std::vector<Point>& points, Diagnostics& diagnostics) {
  return Builder(draft, matrix, order, points, diagnostics).build();
}

}  // namespace penstock::pipeline
