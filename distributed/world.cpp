#include "distributed/world.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "distributed/error.h"

namespace penstock::distributed {
namespace {

constexpr const char* ways_to_start =
    "Start it with Open MPI's `mpirun -np N penstock run CONFIG`, with `srun --mpi=pmix`, or alone without a launcher.";

std::optional<int> number(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  char* end = nullptr;
  const long value = std::strtol(found->second.c_str(), &end, 10);
  if (*end != '\0' || value < 0 || value > 1 << 24) {
    throw Error(ExitCode::environment,
                name + "='" + found->second + "' in the environment is not a number. " + ways_to_start);
  }
  return static_cast<int>(value);
}

World checked(World world) {
  if (world.rank >= world.size || world.local_rank >= world.local_size || world.local_size > world.size) {
    throw Error(ExitCode::environment, "the launcher's environment says rank " + std::to_string(world.rank) + " of " +
                                           std::to_string(world.size) + ", " + std::to_string(world.local_rank) +
                                           " of " + std::to_string(world.local_size) +
                                           " on this machine, which cannot be. " + ways_to_start);
  }
  return world;
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

Environment process_environment() {
  Environment all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return all;
}

World world_of(const Environment& environment) {
  if (const auto size = number(environment, "OMPI_COMM_WORLD_SIZE")) {
    return checked({Launcher::open_mpi, number(environment, "OMPI_COMM_WORLD_RANK").value_or(0), *size,
                    number(environment, "OMPI_COMM_WORLD_LOCAL_RANK").value_or(0),
                    number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE").value_or(1)});
  }
  const int tasks = number(environment, "SLURM_STEP_NUM_TASKS").value_or(1);
  if (tasks > 1) {
    if (environment.count("PMIX_RANK") == 0) {
      throw Error(ExitCode::environment,
                  "srun started " + std::to_string(tasks) +
                      " tasks without PMIx, so each would think that it is alone and all would do the same work. " +
                      ways_to_start);
    }
    return checked({Launcher::slurm, number(environment, "SLURM_PROCID").value_or(0), tasks,
                    number(environment, "SLURM_LOCALID").value_or(0),
                    number(environment, "SLURM_STEP_TASKS_PER_NODE").value_or(tasks)});
  }
  const int others = number(environment, "PMI_SIZE").value_or(1);
  if (others > 1) {
    throw Error(ExitCode::environment, "another MPI's launcher started " + std::to_string(others) +
                                           " programs, which this one cannot join. " + ways_to_start);
  }
  return {};
}

int threads_of(const World& world, const Environment& environment, int allowed_cores) {
  for (const char* name : {"PENSTOCK_THREADS", "OMP_NUM_THREADS"}) {
    if (const auto asked = number(environment, name)) return std::max(1, *asked);
  }
  return std::max(1, allowed_cores / std::max(1, world.local_size));
}

int device_of(const World& world, int devices) { return devices > 0 ? world.local_rank % devices : -1; }

Environment without_launcher(const Environment& environment) {
  Environment rest;
  for (const auto& [name, value] : environment) {
    const bool launcher = name.starts_with("OMPI_") || name.starts_with("PMIX_") || name.starts_with("PMI_") ||
                          name.starts_with("ORTE_") || name.starts_with("OPAL_");
    // Permission to run as root is the user's, not the launcher's.
    if (!launcher || name.starts_with("OMPI_ALLOW_RUN_AS_ROOT")) rest.emplace(name, value);
  }
  return rest;
}

}  // namespace penstock::distributed
