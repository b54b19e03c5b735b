#include "launch/job.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include "distributed/collectives.h"
#include "launch/logging.h"

namespace penstock::launch {
namespace {

int allowed_cores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace

Job join(const Voice& voice) {
  const auto environment = distributed::process_environment();
  Job job;
  job.world = distributed::world_of(environment);
  job.threads = distributed::threads_of(job.world, environment, allowed_cores());
  start_logging(job.world.rank, voice);
  job.ranks = distributed::open_communicator(job.world);
  return job;
}

void on_rank0(distributed::Communicator& ranks, const std::function<void()>& first, std::string_view what) {
  distributed::Outcome mine;
  if (ranks.rank() == 0) {
    try {
      first();
    } catch (const Error& error) {
      mine = {error.code(), error.what()};
    }
  }
  const distributed::Agreed agreed = distributed::agree(ranks, mine, what);
  if (agreed.rank >= 0) throw Error(agreed.outcome.code, agreed.outcome.message);
}

int speaking_on_rank0(int rank, const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (rank == 0) throw;
    spdlog::error("{}", error.what());
    return static_cast<int>(error.code());
  }
}

}  // namespace penstock::launch
