// [matrix.early_stop]; or early_stop = "asha" with all defaults. Called by load_config.
#pragma once

#include <optional>

#include "pipeline/config/draft.h"
#include "pipeline/early_stop.h"

namespace penstock::pipeline {

// The rule; nullopt without one, and when something in it was reported.
std::optional<EarlyStop> read_early_stop(const Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
