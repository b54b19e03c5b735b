#include "pipeline/config/draft_overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/config/draft_values.h"
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
      value(key, text, fmt::format("{}={}", name, text), name);
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
          fmt::format("'{}' is not a TOML value; text of several words needs quotes inside the shell's: '\"...\"'",
                      text));
    }
  }

  DraftStage* stage_of(const std::string& key, const Position& place) {
    const size_t dot = key.find('.');
    const std::string name = key.substr(0, dot);
    if (dot == std::string::npos || dot == 0 || dot + 1 == key.size()) {
      diagnostics_.error(
          "E205", place,
          fmt::format("'{}' does not name a stage and its parameter or port, as {} does", key,
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

}  // namespace

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
