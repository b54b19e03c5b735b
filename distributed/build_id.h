// Identifies the build of the running program: all ranks compare it at the start.
#pragma once

#include <string>

namespace penstock::distributed {

// Hex of the linker's build ids of the executable and of the libpenstock libraries that are loaded: the same for copies
// of one build. Empty where the linker wrote none.
std::string build_id();

}  // namespace penstock::distributed
