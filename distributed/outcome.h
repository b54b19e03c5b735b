// How a rank ended its own part of the work; ranks exchange it to end together (collectives.h, watchdog/settle.h).
#pragma once

#include <string>

#include "distributed/error.h"

namespace penstock::distributed {

struct Outcome {
  ExitCode code = ExitCode::done;
  std::string message;  // empty for done
};

// The exception that is being handled, as an outcome; call it inside a catch block. Its message is printable: JSON and
// terminals take it, whatever the names and the output in it are made of.
Outcome current_failure();

}  // namespace penstock::distributed
