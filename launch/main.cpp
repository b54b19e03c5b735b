// The only place that catches: what was thrown becomes one message on stderr and an exit code.
#include <cstdio>

#include "distributed/outcome.h"
#include "launch/command_line.h"
#include "stages/kinds.h"

int main(int argc, char** argv) {
  try {
    return penstock::launch::run_command_line(argc, argv, penstock::stages::stage_table());
  } catch (...) {
    const auto failure = penstock::distributed::current_failure();
    std::fprintf(stderr, "%s\n", failure.message.c_str());
    return static_cast<int>(failure.code);
  }
}
