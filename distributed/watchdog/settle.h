// The outcome of all ranks, exchanged by messages so that ranks which wait elsewhere cannot block a rank that failed.
// Called at the end of a stage and of a command.
#pragma once

#include <chrono>
#include <optional>

#include "distributed/collectives.h"

namespace penstock::distributed {

// Every rank calls it when its own part has ended. As agree(), but a rank that failed waits at most `patience` for the
// others, which may be waiting for it elsewhere: then it returns nullopt, and the job cannot continue. `ranks` is used
// for nothing else.
std::optional<Agreed> settle(Communicator& ranks, const Outcome& mine, std::chrono::milliseconds patience);

}  // namespace penstock::distributed
