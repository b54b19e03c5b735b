#include "pipeline/config/draft_overrides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "pipeline/config/grammar.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

const std::string prefix = "PENSTOCK_SET_";

class Overrides {
 public:
  Overrides(Draft& draft, Diagnostics& diagnostics) : draft_(draft), diagnostics_(diagnostics) {}

  void environment(const distributed::Environment& environment) {
    for (const auto& [name, text] : environment) {
      if (!name.starts_with(prefix)) continue;
      std::string key = name.substr(prefix.size());
      for (size_t at; (at = key.find("__")) != std::string::npos;) key.replace(at, 2, ".");
      value(key, text, name + "=" + text, name);
    }
  }

  void set(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      diagnostics_.error("E205", {"--set " + text, 0, 0}, "expected stage.param=VALUE, as in train.lr=1e-3");
    } else {
      value(text.substr(0, equals), text.substr(equals + 1), "--set " + text, "--set");
    }
  }

  void input(const std::string& key, const std::string& path) {
    const Position place{"--input " + key + "=" + path, 0, 0};
    DraftStage* stage = stage_of(key, place);
    if (stage == nullptr) return;
    const std::string port = key.substr(key.find('.') + 1);
    auto found = std::find_if(stage->inputs.begin(), stage->inputs.end(),
                              [&](const DraftInput& one) { return one.port == port; });
    if (found == stage->inputs.end()) found = stage->inputs.insert(found, DraftInput{port, place, {}});
    if (replaced_.insert(key).second) found->sources.clear();  // the first takes the file's place, a second joins it
    DraftSource source;
    source.declared.position = place;
    source.declared.external = path;
    found->sources.push_back(std::move(source));
  }

 private:
  void value(const std::string& key, const std::string& text, const std::string& written, const std::string& origin) {
    const Position place{written, 0, 0};
    DraftStage* stage = stage_of(key, place);
    if (stage == nullptr) return;
    if (const auto parsed = parse_value(text)) {
      set_value(*stage, key.substr(key.find('.') + 1), *parsed, {place, place, origin}, diagnostics_);
    } else {
      diagnostics_.error(
          "E205", place,
          fmt::format("'{}' is no TOML value; text of several words needs quotes inside the shell's: '\"...\"'", text));
    }
  }

  DraftStage* stage_of(const std::string& key, const Position& place) {
    const size_t dot = key.find('.');
    const std::string name = key.substr(0, dot);
    if (dot == std::string::npos || dot == 0 || dot + 1 == key.size()) {
      diagnostics_.error(
          "E205", place,
          fmt::format("'{}' does not name a stage and a part of it, as {} does", key,
                      place.file.starts_with(prefix) ? "PENSTOCK_SET_train__lr (two underscores)" : "train.lr"));
      return nullptr;
    }
    DraftStage* stage = draft_.find(name);
    if (stage == nullptr && !draft_.unread.count(name)) {
      diagnostics_.error(
          "E205", place,
          fmt::format("there is no stage '{}'{}", name, instead_of(name, draft_.stage_names(), "known:")));
    }
    return stage;
  }

  Draft& draft_;
  Diagnostics& diagnostics_;
  std::set<std::string> replaced_;
};

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

void apply_overrides(const ConfigRequest& request, Draft& draft, Diagnostics& diagnostics) {
  Overrides overrides(draft, diagnostics);
  overrides.environment(request.environment);
  for (const std::string& set : request.sets) overrides.set(set);
  for (const auto& [key, path] : request.inputs) overrides.input(key, path);
  if (request.store) draft.store = *request.store;
  if (!request.rehearse) return;
  for (DraftStage& stage : draft.stages) {
    for (const auto& [parameter, value] : stage.kind().rehearsal)
      stage.values[parameter] = {value, {"--rehearse", 0, 0}, "--rehearse"};
  }
}

}  // namespace penstock::pipeline
