// What overrides the values of the file: environment variables and flags. Called by read_draft.
#pragma once

#include "pipeline/config/draft.h"

namespace penstock::pipeline {

// Environment, then --set, --input and --store, then --rehearse: each over what was there before.
void apply_overrides(const ConfigRequest& request, Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
