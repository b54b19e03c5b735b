// Parts of the report's scores: by visual type, with and without a relative in another subset, by size of the objects,
// and how far probabilities can be taken at their word. Each is empty where metrics.json does not have it (eval was
// older, or without metadata).
#pragma once

#include <string>

#include "pipeline/value.h"

namespace penstock::stages {

std::string score_breakdowns(const pipeline::Value& metrics);

}  // namespace penstock::stages
