// A communicator that logs its collectives, and those of every communicator split or duplicated from it, for the
// watchdog. Made by Watchdog.
#pragma once

#include <memory>
#include <string>

#include "distributed/communicator.h"
#include "distributed/watchdog/collective_log.h"

namespace penstock::distributed {

// Local. `name` is the same on every rank, and appears in reports. Threads: as for `ranks`.
std::unique_ptr<Communicator> watched(std::unique_ptr<Communicator> ranks, std::shared_ptr<CollectiveLog> log,
                                      std::string name);

}  // namespace penstock::distributed
