// A world plan as JSON for programs. Called by `penstock plan --world --json`.
#pragma once

#include "launch/world/world_plan.h"

namespace penstock::launch {

pipeline::Value json_of(const WorldPlan& plan);

}  // namespace penstock::launch
