// The communicator of this process: called once, by the program's start.
#pragma once

#include <memory>

#include "distributed/communicator.h"
#include "distributed/world.h"

namespace penstock::distributed {

// Collective where the world has several ranks. A lone process gets a local communicator of one rank; else
// libpenstock_mpi.so is opened. Throws Error(environment) where that is missing or MPI disagrees with `world`.
std::unique_ptr<Communicator> open_communicator(const World& world);

}  // namespace penstock::distributed
