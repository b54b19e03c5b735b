#include "pipeline/config/draft_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <set>

#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

std::vector<std::string> names_of(const std::vector<Port>& ports) {
  std::vector<std::string> names;
  for (const Port& port : ports) names.push_back(port.name);
  return names;
}

class Checker {
 public:
  Checker(Draft& draft, Diagnostics& diagnostics) : draft_(draft), diagnostics_(diagnostics) {}

  void check() {
    for (DraftStage& stage : draft_.stages) declare_ports(stage);
    for (const DraftStage& stage : draft_.stages) check_stage(stage);
    check_listed(draft_.targets, "targets", "E305",
                 [](const std::string& target) { return fmt::format("target '{}' is not a stage", target); });
  }

 private:
  static void declare_ports(DraftStage& stage) {
    StageDeclaration& declared = stage.declaration;
    declared.input_ports = stage.kind().inputs;
    declared.output_ports = stage.kind().outputs;
    if (!stage.kind().ports) return;
    std::vector<std::string> given;
    for (const DraftInput& input : stage.inputs) given.push_back(input.port);
    std::tie(declared.input_ports, declared.output_ports) = stage.kind().ports(stage.plain_values(), given);
  }

  bool known(const std::string& stage) const {
    return draft_.find(stage) != nullptr || draft_.unread.count(stage) != 0;
  }

  void check_stage(const DraftStage& stage) {
    for (const DraftInput& input : stage.inputs) check_input(stage, input);
    check_missing(stage);
    check_listed(stage.needs, "needs", "E301", [&](const std::string& need) {
      return fmt::format("stage '{}' needs '{}', which is not a stage", stage.name(), need);
    });
  }

  // Names of stages: each exists, and none is there twice.
  template <typename Sentence>
  void check_listed(const std::vector<std::pair<std::string, Position>>& names, const char* key, const char* code,
                    const Sentence& sentence) {
    std::map<std::string, Position> seen;
    for (const auto& [name, place] : names) {
      const auto [first, fresh] = seen.try_emplace(name, place);
      if (!fresh) {
        diagnostics_.error("E107", place, fmt::format("'{}' lists '{}' twice", key, name),
                           {{first->second, "the first is here"}});
      } else if (!known(name)) {
        diagnostics_.error(code, place, sentence(name) + instead_of(name, draft_.stage_names(), "known:"));
      }
    }
  }

  // An input that is misspelt is not called missing as well.
  void check_missing(const DraftStage& stage) {
    if (stage.inputs_unread) return;
    const std::vector<std::string> ports = names_of(stage.declaration.input_ports);
    std::set<std::string> meant;
    for (const DraftInput& input : stage.inputs) {
      meant.insert(input.port);
      if (const auto near = nearest_name(input.port, ports)) meant.insert(*near);
    }
    for (const Port& port : stage.declaration.input_ports) {
      if (port.optional || meant.count(port.name)) continue;
      diagnostics_.error(
          "E303", stage.inputs_position.value_or(stage.position()),
          fmt::format("stage '{}' lacks its input '{}', which takes {}", stage.name(), port.name, port.help));
    }
  }

  void check_input(const DraftStage& stage, const DraftInput& input) {
    const Port* port = find_port(stage.declaration.input_ports, input.port);
    if (port == nullptr) {
      const std::string instead = stage.declaration.input_ports.empty()
                                      ? fmt::format("; the kind '{}' takes none", stage.kind().name)
                                      : instead_of(input.port, names_of(stage.declaration.input_ports), "it takes");
      diagnostics_.error("E302", input.position,
                         fmt::format("stage '{}' has no input '{}'{}", stage.name(), input.port, instead));
      return;
    }
    const bool fan = std::any_of(input.sources.begin(), input.sources.end(),
                                 [](const DraftSource& one) { return !one.fan.empty(); });
    if (!port->many && (input.sources.size() > 1 || fan)) {
      diagnostics_.error(
          "E306", input.position,
          fmt::format("input '{}' of stage '{}' takes one source{}", input.port, stage.name(),
                      fan ? " and cannot gather over runs" : fmt::format(", is given {}", input.sources.size())));
    }
    for (const DraftSource& source : input.sources) {
      if (!source.stage.empty()) check_source(stage, input, source);
    }
  }

  void check_source(const DraftStage& stage, const DraftInput& input, const DraftSource& source) {
    const std::string& port = source.declared.port;
    const DraftStage* upstream = draft_.find(source.stage);
    if (upstream == nullptr) {
      if (draft_.unread.count(source.stage)) return;
      std::string meant = did_you_mean(source.stage, draft_.stage_names());
      if (meant.empty()) meant = fmt::format("; if it is a file, write \"file:{}.{}\"", source.stage, port);
      diagnostics_.error("E301", source.declared.position,
                         fmt::format("input '{}' of stage '{}' names stage '{}', which does not exist{}", input.port,
                                     stage.name(), source.stage, meant));
      return;
    }
    if (upstream->kind().ports && upstream->faulty) return;  // its outputs could not be read
    if (find_port(upstream->declaration.output_ports, port) != nullptr) return;
    diagnostics_.error("E302", source.declared.position,
                       fmt::format("stage '{}' has no output '{}'{}", source.stage, port,
                                   instead_of(port, names_of(upstream->declaration.output_ports), "it gives")));
  }

  Draft& draft_;
  Diagnostics& diagnostics_;
};

// The kinds' checks on stages without a graph.
class ParameterChecker {
 public:
  ParameterChecker(const Draft& draft, const std::vector<std::pair<std::string, Position>>& axes,
                   Diagnostics& diagnostics)
      : draft_(draft), diagnostics_(diagnostics) {
    for (const auto& [axis, place] : axes) varied_.insert(axis.substr(0, axis.find('.')));
  }

  void check() {
    for (const DraftStage& stage : draft_.stages) {
      if (stage.kind().check && reliable(stage)) check_stage(stage);
    }
  }

 private:
  bool reliable(const DraftStage& stage) const { return !stage.faulty && !varied_.count(stage.name()); }

  void check_stage(const DraftStage& stage) {
    const Values values = stage.plain_values();
    std::vector<std::string> inputs;
    for (const DraftInput& input : stage.inputs) inputs.push_back(input.port);
    const auto upstream = [&](std::string_view kind, const std::string& parameter) -> std::optional<Value> {
      const DraftStage* found = nearest(stage, kind);
      return found == nullptr || !reliable(*found) ? std::nullopt : std::optional(found->values.at(parameter).value);
    };
    Problems problems;
    stage.kind().check({values, upstream, inputs, stage.given()}, problems);
    for (const Problem& problem : problems) {
      std::optional<Note> note;
      if (const DraftStage* related = problem.related_kind.empty() ? nullptr : nearest(stage, problem.related_kind)) {
        const DraftValue& value = related->values.at(problem.related_parameter);
        note = {value.position, fmt::format("'{}' of stage '{}' is {}", problem.related_parameter, related->name(),
                                            value.value.dump())};
      }
      report_problem(stage.name(), problem, stage.values.at(problem.parameter).position, note, diagnostics_);
    }
  }

  const DraftStage* nearest(const DraftStage& stage, std::string_view kind) const {
    std::deque<const DraftStage*> open = {&stage};
    std::set<const DraftStage*> seen = {&stage};
    for (; !open.empty(); open.pop_front()) {
      if (open.front() != &stage && open.front()->kind().name == kind) return open.front();
      for (const DraftInput& input : open.front()->inputs) {
        for (const DraftSource& source : input.sources) {
          const DraftStage* upstream = draft_.find(source.stage);
          if (upstream != nullptr && seen.insert(upstream).second) open.push_back(upstream);
        }
      }
    }
    return nullptr;
  }

  const Draft& draft_;
  Diagnostics& diagnostics_;
  std::set<std::string> varied_;  // stages with an axis
};

}  // namespace

void check_draft(Draft& draft, Diagnostics& diagnostics) { Checker(draft, diagnostics).check(); }

void check_fan_ins(const Draft& draft, const std::vector<std::pair<std::string, Position>>& axes,
                   Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const auto& [axis, place] : axes) names.push_back(axis);
  for (const DraftStage& stage : draft.stages) {
    for (const DraftInput& input : stage.inputs) {
      for (const DraftSource& source : input.sources) {
        if (source.fan.empty() || source.fan == "*" || std::find(names.begin(), names.end(), source.fan) != names.end())
          continue;
        std::vector<Note> notes;
        if (draft.matrix)
          notes.push_back({draft.matrix_position, names.empty()
                                                      ? "it has no axis"
                                                      : "its axes: " + fmt::format("{}", fmt::join(names, ", "))});
        diagnostics.error(
            "E307", source.fan_position,
            draft.matrix
                ? fmt::format("'{}' is not an axis of the matrix{}", source.fan, did_you_mean(source.fan, names))
                : fmt::format("there is no [matrix], so '{}' is not an axis to gather over", source.fan),
            notes);
      }
    }
  }
}

void check_parameters(const Draft& draft, const std::vector<std::pair<std::string, Position>>& axes,
                      Diagnostics& diagnostics) {
  ParameterChecker(draft, axes, diagnostics).check();
}

void report_problem(const std::string& stage, const Problem& problem, const Position& place,
                    const std::optional<Note>& related, Diagnostics& diagnostics) {
  diagnostics.error("E204", place, fmt::format("stage '{}': {}", stage, problem.sentence),
                    related ? std::vector<Note>{*related} : std::vector<Note>{});
}

}  // namespace penstock::pipeline
