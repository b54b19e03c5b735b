// How all ranks fared, learned in a way that a rank which fails elsewhere cannot block.
#pragma once

#include <chrono>
#include <optional>

#include "distributed/collectives.h"

namespace penstock::distributed {

// Collective in the end: every rank calls it, each when its own part is over. As agree(), but a rank that failed waits
// no longer than `patience` for the others, which may be waiting for it elsewhere: nullopt then, and the job cannot go
// on. Nobody else uses `ranks`.
std::optional<Agreed> settle(Communicator& ranks, const Outcome& mine, std::chrono::milliseconds patience);

}  // namespace penstock::distributed
