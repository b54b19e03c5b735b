// The stages of a configuration, each after what it takes and waits for. Called by load_config.
#pragma once

#include <vector>

#include "pipeline/config/draft.h"

namespace penstock::pipeline {

// Indices into draft.stages, upstreams first. A circle is reported (E304) with the path that closes it; the order is
// then to be used for nothing.
std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
