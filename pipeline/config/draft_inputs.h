// The `inputs` of a stage, as a configuration writes them: "stage.output", "file:PATH", a table with `file`, or a list.
#pragma once

#include <vector>

#include "pipeline/config/draft.h"

namespace penstock::pipeline {

// Whether what an input names exists is not looked at here: see draft_checks.h.
std::vector<DraftInput> read_inputs(const Tree& table, const StageTable& kinds, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
