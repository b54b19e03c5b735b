// What one stage of a configuration says of others: inputs, needs, targets.
#pragma once

#include "pipeline/diagnostic.h"
#include "pipeline/draft.h"

namespace penstock::pipeline {

// Fills in every stage's ports, and reports each input, need and target that names nothing, and each input that is missing.
void check_draft(Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
