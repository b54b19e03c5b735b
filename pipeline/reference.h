// A stage kind in words, made from the table that parses.
#pragma once

#include <string>

#include "pipeline/stage.h"

namespace penstock::pipeline {

// Summary, ports, and each parameter with type, default, range and one sentence: what `penstock stages KIND` prints.
std::string describe_kind(const StageKind& kind);

}  // namespace penstock::pipeline
