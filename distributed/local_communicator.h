// Ranks as threads of this process: the communicator of a process without a launcher, and of tests with several ranks.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "distributed/communicator.h"

namespace penstock::distributed {

// `size` communicators that form one world; each is for one thread.
std::vector<std::unique_ptr<Communicator>> local_world(int size);

// Runs `body(communicator)` on `size` threads. A rank that throws poisons the others: their next or current call
// throws Error(ranks). Rethrows the first exception, not those that follow from it. abort(code) counts as throwing
// Error(code).
void run_local_ranks(int size, const std::function<void(Communicator&)>& body);

}  // namespace penstock::distributed
