#include "pipeline/config/draft_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipeline/suggestion.h"
#include "pipeline/syntax/grammar.h"

namespace penstock::pipeline {
namespace {

// "early_stopping.monitor", ... for "early_stopping".
std::vector<std::string> members_of(const StageKind& kind, const std::string& table) {
  std::vector<std::string> names;
  for (const Specification& one : kind.parameters) {
    if (one.name.starts_with(table + ".")) names.push_back(one.name);
  }
  return names;
}

// The end of the message about a parameter that is none.
std::string meant_by(const DraftStage& stage, const std::string& parameter) {
  std::vector<std::string> names = stage_keys().names();
  for (const Specification& one : stage.kind().parameters) names.push_back(one.name);
  const std::string near = did_you_mean(parameter, names);
  return near.empty() ? fmt::format("; `penstock stages {}` lists them", stage.kind().name) : near;
}

}  // namespace

bool holds_parameters(const StageKind& kind, const std::string& table) {
  return std::any_of(kind.parameters.begin(), kind.parameters.end(),
                     [&](const Specification& one) { return one.name.starts_with(table + "."); });
}

void set_value(DraftStage& stage, const std::string& parameter, const Value& value, const ValuePlace& place,
               Diagnostics& diagnostics) {
  const auto& known = stage.kind().parameters;
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const Specification& one) { return one.name == parameter; });
  std::optional<std::string> problem;
  Position at_fault = place.value;
  if (found != known.end()) {
    problem = problem_with(*found, value);
    if (const auto element = faulty_element(*found, value); element && *element < place.elements.size())
      at_fault = place.elements[*element];
    if (!problem) stage.values[parameter] = {normalised(*found, value), place.key, place.origin};
  } else if (holds_parameters(stage.kind(), parameter)) {
    const std::string members = fmt::format("{}", fmt::join(members_of(stage.kind(), parameter), ", "));
    problem = value.is_null() ? "is set part by part: " + members
                              : fmt::format("is a table that holds {}, not {}", members, as_read(value));
  } else {
    diagnostics.error(
        "E203", place.key,
        fmt::format("stage '{}' has no parameter '{}'{}", stage.name(), parameter, meant_by(stage, parameter)));
  }
  if (problem)
    diagnostics.error("E202", at_fault,
                      fmt::format("parameter '{}' of stage '{}' {}", parameter, stage.name(), *problem));
  stage.faulty = stage.faulty || found == known.end() || problem;
  if (found == known.end() && nearest_name(parameter, stage_keys().names()) == "inputs") stage.inputs_unread = true;
}

}  // namespace penstock::pipeline
