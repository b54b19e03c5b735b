// Values of a draft: from the file, the environment and the flags, by one rule.
#pragma once

#include <string>
#include <vector>

#include "pipeline/config/draft.h"

namespace penstock::pipeline {

// True when parameters of the kind lie in a table of this name: "early_stopping" holds "early_stopping.patience".
bool holds_parameters(const StageKind& kind, const std::string& table);

// Where a value was written.
struct ValuePlace {
  Position key;
  Position value;
  std::string origin;                   // as `penstock config --origin` says it
  std::vector<Position> elements = {};  // of a list
};
// Reports an unknown name or a value that does not fit; else the stage holds the value.
void set_value(DraftStage& stage, const std::string& parameter, const Value& value, const ValuePlace& place,
               Diagnostics& diagnostics);

// Environment, then --set, --input and --store, then --rehearse: each over what was there before.
void apply_overrides(const ConfigRequest& request, Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
