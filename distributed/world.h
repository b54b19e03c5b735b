// Which rank this process is among those that one launch line started, as pure functions of the environment.
#pragma once

#include <map>
#include <string>

#include "distributed/error.h"

namespace penstock::distributed {

using Environment = std::map<std::string, std::string>;

enum class Launcher { alone, open_mpi, slurm };

struct World {
  Launcher launcher = Launcher::alone;
  int rank = 0;        // of the whole job
  int size = 1;        // ranks in the job
  int local_rank = 0;  // on this machine
  int local_size = 1;  // ranks on this machine
};

Environment process_environment();

std::string host_name();  // of this machine

// Reads OMPI_COMM_WORLD_*, PMIX_*, SLURM_*. Throws Error(environment) for a launch that would start N programs as rank
// 0 of 1 each (srun without a matching PMI); the message names launch lines that work.
World world_of(const Environment& environment);

// Threads that this rank may use: its share of the cores it is allowed on (affinity mask, then OMP_NUM_THREADS or
// PENSTOCK_THREADS when set), never below 1.
int threads_of(const World& world, const Environment& environment, int allowed_cores);

// The GPU of this rank among `devices` of its machine: by its place among the machine's ranks. -1 without any.
int device_of(const World& world, int devices);

// The environment for child programs: without OMPI_*, PMIX_*, PMI_*, so that mpirun works inside it.
Environment without_launcher(const Environment& environment);

}  // namespace penstock::distributed
