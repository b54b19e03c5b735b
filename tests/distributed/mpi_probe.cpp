// Started by mpirun from the tests: `mpi_probe` checks every promise of the communicator; `mpi_probe abort` ends the
// job from rank 1 with exit code 76 while the others wait; `mpi_probe throw` lets rank 1 leave with an exception.
#include <cstdio>
#include <cstring>
#include <exception>

#include "distributed/communicator_claims.h"
#include "distributed/open_communicator.h"

int main(int argc, char** argv) {
  using namespace penstock;
  using namespace penstock::distributed;
  try {
    const auto ranks = open_communicator(world_of(process_environment()));
    if (argc > 1) {
      if (ranks->rank() == 1 && std::strcmp(argv[1], "abort") == 0) ranks->abort(ExitCode::ranks);
      if (ranks->rank() == 1) throw Error(ExitCode::data, "rank 1 has had enough");
      ranks->barrier("for ever");
    }
    check_collectives(*ranks);
    check_messages(*ranks);
    check_split(*ranks);
    if (ranks->rank() == 0) std::printf("all promises hold on %d ranks\n", ranks->size());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
