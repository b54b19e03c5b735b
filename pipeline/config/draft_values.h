// How a parameter's value enters a draft, wherever it was written: the file, the environment or a flag.
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
// Checks name, type and range: a value that fits is kept in the stage, anything else is reported (E202, E203) and marks
// the stage faulty.
void set_value(DraftStage& stage, const std::string& parameter, const Value& value, const ValuePlace& place,
               Diagnostics& diagnostics);

}  // namespace penstock::pipeline
