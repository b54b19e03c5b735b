#include "pipeline/draft_checks.h"

#include <fmt/format.h>

#include <algorithm>

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
    check_targets();
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

  void check_stage(const DraftStage& stage) {
    for (const DraftInput& input : stage.inputs) check_input(stage, input);
    for (const Port& port : stage.declaration.input_ports) {
      if (port.optional || stage.input(port.name) != nullptr) continue;
      diagnostics_.error("E303", stage.position(), fmt::format("stage '{}' lacks its input '{}' ({})", stage.name(), port.name, port.help), stage.name().size());
    }
    for (const auto& [need, place] : stage.needs) {
      if (draft_.find(need) == nullptr) {
        diagnostics_.error("E301", place, fmt::format("stage '{}' needs '{}', which is no stage{}", stage.name(), need, did_you_mean(need, draft_.stage_names())), need.size() + 2);
      }
    }
  }

  void check_input(const DraftStage& stage, const DraftInput& input) {
    const Port* port = find_port(stage.declaration.input_ports, input.port);
    if (port == nullptr) {
      diagnostics_.error("E302", input.position,
                         fmt::format("stage '{}' has no input '{}'{}", stage.name(), input.port, did_you_mean(input.port, names_of(stage.declaration.input_ports))), input.port.size());
      return;
    }
    const bool fan = std::any_of(input.sources.begin(), input.sources.end(), [](const DraftSource& one) { return !one.fan.empty(); });
    if (!port->many && (input.sources.size() > 1 || fan)) {
      diagnostics_.error("E306", input.position, fmt::format("input '{}' of stage '{}' takes one source", input.port, stage.name()), input.port.size());
    }
    for (const DraftSource& source : input.sources) {
      if (source.stage.empty()) continue;
      const DraftStage* upstream = draft_.find(source.stage);
      if (upstream == nullptr) {
        diagnostics_.error("E301", source.declared.position, fmt::format("input '{}' of stage '{}' names stage '{}', which does not exist{}", input.port, stage.name(),
                           source.stage, did_you_mean(source.stage, draft_.stage_names())), source.stage.size() + source.declared.port.size() + 3);
      } else if (find_port(upstream->declaration.output_ports, source.declared.port) == nullptr) {
        diagnostics_.error("E302", source.declared.position, fmt::format("stage '{}' has no output '{}'{}", source.stage, source.declared.port,
                           did_you_mean(source.declared.port, names_of(upstream->declaration.output_ports))), source.stage.size() + source.declared.port.size() + 3);
      }
    }
  }

  void check_targets() {
    for (const auto& [target, place] : draft_.targets) {
      if (draft_.find(target) == nullptr) {
        diagnostics_.error("E305", place, fmt::format("target '{}' is no stage{}", target, did_you_mean(target, draft_.stage_names())), target.size() + 2);
      }
    }
  }

  Draft& draft_;
  Diagnostics& diagnostics_;
};

}  // namespace

void check_draft(Draft& draft, Diagnostics& diagnostics) { Checker(draft, diagnostics).check(); }

}  // namespace penstock::pipeline
