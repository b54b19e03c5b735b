// What every back-end promises, as checks that throw: run on threads by the tests, and on processes by mpi_probe.
#pragma once

#include "distributed/communicator.h"

namespace penstock::distributed {

// Collective. Throws a sentence about the first promise that is broken.
void check_collectives(Communicator& ranks);
void check_messages(Communicator& ranks);
void check_split(Communicator& ranks);

}  // namespace penstock::distributed
