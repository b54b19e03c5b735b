#include "pipeline/draft_overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

class Overrides {
 public:
  Overrides(Draft& draft, Diagnostics& diagnostics) : draft_(draft), diagnostics_(diagnostics) {}

  void environment(const distributed::Environment& environment) {
    static const std::string prefix = "PENSTOCK_SET_";
    for (const auto& [name, text] : environment) {
      if (!name.starts_with(prefix)) continue;
      std::string key = name.substr(prefix.size());
      for (size_t at; (at = key.find("__")) != std::string::npos;) key.replace(at, 2, ".");
      value(key, text, name, name);
    }
  }

  void set(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      diagnostics_.error("E205", {"--set " + text, 0, 0}, "expected stage.param=VALUE");
    } else {
      value(text.substr(0, equals), text.substr(equals + 1), "--set " + text, "--set");
    }
  }

  void input(const std::string& key, const std::string& path) {
    const Position place{"--input " + key + "=" + path, 0, 0};
    DraftStage* stage = stage_of(key, place);
    if (stage == nullptr) return;
    const std::string port = key.substr(key.find('.') + 1);
    auto found = std::find_if(stage->inputs.begin(), stage->inputs.end(), [&](const DraftInput& one) { return one.port == port; });
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
      diagnostics_.error("E205", place, fmt::format("'{}' is not a TOML value", text));
    }
  }

  DraftStage* stage_of(const std::string& key, const Position& place) {
    const size_t dot = key.find('.');
    const std::string name = key.substr(0, dot);
    DraftStage* stage = dot == std::string::npos ? nullptr : draft_.find(name);
    if (stage == nullptr) {
      diagnostics_.error("E205", place, dot == std::string::npos ? fmt::format("'{}' names a stage and no part of it", key)
                                                                 : fmt::format("there is no stage '{}'{}", name, did_you_mean(name, draft_.stage_names())));
    }
    return stage;
  }

  Draft& draft_;
  Diagnostics& diagnostics_;
  std::set<std::string> replaced_;
};

}  // namespace

const std::vector<std::string>& reserved_keys() {
  static const std::vector<std::string> keys = {"uses", "inputs", "needs", "resources", "retries", "gate", "cacheable", "resume"};
  return keys;
}

void set_value(DraftStage& stage, const std::string& parameter, const Value& value, const ValuePlace& place, Diagnostics& diagnostics) {
  const auto& known = stage.kind().parameters;
  const auto found = std::find_if(known.begin(), known.end(), [&](const Specification& one) { return one.name == parameter; });
  if (found == known.end()) {
    std::vector<std::string> names = reserved_keys();
    for (const Specification& one : known) names.push_back(one.name);
    diagnostics.error("E203", place.key, fmt::format("stage '{}' has no parameter '{}'{}", stage.name(), parameter, did_you_mean(parameter, names)),
                      parameter.substr(parameter.rfind('.') + 1).size());
  } else if (const auto problem = problem_with(*found, value)) {
    diagnostics.error("E202", place.value, fmt::format("parameter '{}' of stage '{}' {}", parameter, stage.name(), *problem), value.dump().size());
  } else {
    stage.values[parameter] = {normalised(*found, value), place.key, place.origin};
  }
}

void apply_overrides(const ConfigRequest& request, Draft& draft, Diagnostics& diagnostics) {
  Overrides overrides(draft, diagnostics);
  overrides.environment(request.environment);
  for (const std::string& set : request.sets) overrides.set(set);
  for (const auto& [key, path] : request.inputs) overrides.input(key, path);
  if (request.store) draft.store = *request.store;
  if (!request.rehearse) return;
  for (DraftStage& stage : draft.stages) {
    for (const auto& [parameter, value] : stage.kind().rehearsal) stage.values[parameter] = {value, {"--rehearse", 0, 0}, "--rehearse"};
  }
}

}  // namespace penstock::pipeline
