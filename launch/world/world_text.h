// A world plan as text for people. Called by `penstock plan --world`.
#pragma once

#include <string>

#include "launch/world/world_plan.h"

namespace penstock::launch {

std::string text_of(const WorldPlan& plan);

// What a rank count leaves idle, and the nearest counts that do not: a sentence; empty when nothing is idle.
std::string waste_of(const PlannedTraining& training, const stages::RanksPlan& plan);

}  // namespace penstock::launch
