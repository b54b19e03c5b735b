// The whole program as a function: main() calls it, and so does a user's own executable with more kinds in the table.
#pragma once

#include "pipeline/stage.h"

namespace penstock::launch {

// Returns the exit code (see distributed/error.h). Throws Error for everything a user should read; main prints it.
int run_command_line(int argc, const char* const* argv, const pipeline::StageTable& kinds);

}  // namespace penstock::launch
