#include "launch/command_line.h"

namespace penstock::launch {

int run_command_line(int, const char* const*, const pipeline::StageTable&) { return 0; }

}  // namespace penstock::launch
