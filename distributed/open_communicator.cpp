#include "distributed/open_communicator.h"

#include "distributed/local_communicator.h"
#include "distributed/opened_library.h"

namespace penstock::distributed {

std::unique_ptr<Communicator> open_communicator(const World& world) {
  if (world.launcher == Launcher::alone) return std::move(local_world(1).front());
  using Factory = std::unique_ptr<Communicator> (*)(const World&);
  return reinterpret_cast<Factory>(open_library_symbol("libpenstock_mpi.so", "penstock_mpi_communicator"))(world);
}

}  // namespace penstock::distributed
