#include "launch/job/launch_advice.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "pipeline/counted.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;

int cores_of(pid_t process) {
  cpu_set_t cores;
  return sched_getaffinity(process, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

// 0 where the build has no library for them.
int count_gpus() {
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  const fs::path devices = "/proc/driver/nvidia/gpus";
  if (none || !fs::exists(program.parent_path() / "libpenstock_cuda.so", none) || !fs::is_directory(devices, none))
    return 0;
  return static_cast<int>(std::distance(fs::directory_iterator(devices), fs::directory_iterator()));
}

}  // namespace

// The launcher on this machine is the parent, and is bound to nothing.
Machine this_machine() { return {cores_of(0), std::max(cores_of(0), cores_of(getppid())), count_gpus()}; }

std::vector<std::string> launch_advice(const distributed::World& world, const distributed::Environment& environment,
                                       const Machine& machine) {
  std::vector<std::string> advice;
  const int local = world.local_size;
  const auto cores = [](int count) { return pipeline::counted(count, "core"); };
  const int threads = distributed::threads_of(world, environment, machine.allowed_cores);
  const int share = machine.job_cores / std::max(1, local);
  const bool bound = world.launcher == distributed::Launcher::open_mpi && machine.allowed_cores < machine.job_cores;
  if (bound && threads > machine.allowed_cores) {
    const std::string instead = share > 1
                                    ? fmt::format("start it with mpirun --map-by slot:PE={}, or --bind-to none", share)
                                    : "start it with OMP_NUM_THREADS=1, or with fewer ranks";
    advice.push_back(fmt::format("each rank uses {} threads but is bound to {}, so that its threads take turns; {}",
                                 threads, cores(machine.allowed_cores), instead));
  } else if (bound && machine.allowed_cores * local < machine.job_cores && share > machine.allowed_cores) {
    advice.push_back(fmt::format(
        "mpirun binds each rank to {} of {}, and {} of them stay idle; start it with mpirun --map-by slot:PE={}, or "
        "--bind-to none",
        machine.allowed_cores, cores(machine.job_cores), machine.job_cores - machine.allowed_cores * local, share));
  }
  if (machine.gpus > 0 && local > machine.gpus) {
    advice.push_back(
        fmt::format("{} ranks share {} on this machine, and wait for each other there; start it with mpirun -np "
                    "{} for each machine",
                    local, pipeline::counted(machine.gpus, "GPU"), machine.gpus));
  }
  return advice;
}

}  // namespace penstock::launch
