#include "launch/job/job.h"

#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "distributed/build_id.h"
#include "distributed/collectives.h"
#include "distributed/open_communicator.h"
#include "distributed/watchdog/settle.h"
#include "launch/job/launch_advice.h"
#include "launch/job/logging.h"

namespace penstock::launch {
namespace {

using std::chrono::milliseconds;

constexpr int times_to_start = 15;                     // patiences: two minutes with the usual one
constexpr auto time_to_fail = milliseconds(1000);      // for other ranks to have failed too
constexpr auto courtesy = milliseconds(300);           // for rank 0, which writes the records, to report first
constexpr auto time_to_be_ended = milliseconds(2500);  // by mpirun, which leaves ranks a second when one has failed

// Ends the process when the ranks have not connected in time: a machine is unreachable, or a rank's start hangs.
class StartLimit {
 public:
  StartLimit(const distributed::World& world, milliseconds limit)
      : thread_([this, &world, limit] {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, limit, [this] { return started_; })) return;
          std::fprintf(stderr,
                       "rank %d of %d has waited %.0f s for the others to start, and ends the job: is one of its "
                       "machines down, or the network?\n",
                       world.rank, world.size, std::chrono::duration<double>(limit).count());
          _exit(static_cast<int>(ExitCode::ranks));
        }) {}
  ~StartLimit() {
    {
      const std::lock_guard lock(mutex_);
      started_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  StartLimit(const StartLimit&) = delete;
  StartLimit& operator=(const StartLimit&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  std::thread thread_;
};

// nullopt: no watchdog.
std::optional<milliseconds> patience_from(const distributed::Environment& environment) {
  const auto asked = environment.find("PENSTOCK_WATCHDOG");
  if (asked == environment.end() || asked->second.empty()) return distributed::Watch::usual_patience;
  if (asked->second == "off") return std::nullopt;
  char* end = nullptr;
  const double seconds = std::strtod(asked->second.c_str(), &end);
  if (*end != '\0' || !(seconds >= 0.5 && seconds <= 1e6)) {
    throw Error(ExitCode::environment,
                "PENSTOCK_WATCHDOG='" + asked->second +
                    "' in the environment is neither a number of seconds (0.5 or more) nor 'off'");
  }
  return milliseconds(static_cast<int64_t>(seconds * 1000));
}

void require_one_build(distributed::Communicator& ranks) {
  const std::string mine = distributed::build_id();
  const std::string first = distributed::broadcast_text(ranks, mine, 0, "the build");
  distributed::Outcome outcome;
  if (mine != first) {
    outcome = {ExitCode::environment,
               fmt::format("rank {} runs a different build of penstock than rank 0 ({}, {}): start "
                           "the same program on every rank and machine",
                           ranks.rank(), mine.substr(0, 12), first.substr(0, 12))};
  }
  if (const auto agreed = distributed::agree(ranks, outcome, "the build"); agreed.rank >= 0)
    throw Error(agreed.outcome.code, agreed.outcome.message);
}

void tell(int rank, const std::string& report, bool mine) {
  if (mine) {
    spdlog::error("{}", report);
    if (rank != 0) std::fprintf(stderr, "%s\n", report.c_str());
  } else if (rank != 0) {
    spdlog::error("{}", report);  // its own log; the console has it from the rank that found it
  }
}

}  // namespace

Job join(const OutputFlags& output, std::atomic<bool>* stops) {
  const auto environment = distributed::process_environment();
  Job job;
  job.world = distributed::world_of(environment);
  const Machine machine = this_machine();
  job.threads = distributed::threads_of(job.world, environment, machine.allowed_cores);
  start_logging(job.world.rank, output);
  const auto patience = patience_from(environment);
  job.watch = std::make_unique<distributed::Watch>(patience.value_or(distributed::Watch::usual_patience));
  std::optional<StartLimit> limit;
  if (job.world.size > 1 && patience) limit.emplace(job.world, *patience * times_to_start);
  job.ranks = distributed::open_communicator(job.world);
  if (limit) {
    const int rank = job.world.rank;
    job.watchdog = std::make_unique<distributed::Watchdog>(
        job.ranks, *job.watch,
        distributed::Watchdog::Options{
            .patience = *patience, .stops = stops, .tell = [rank](const std::string& report, bool mine) {
              tell(rank, report, mine);
            }});
  }
  if (job.world.rank == 0) {
    for (const std::string& advice : launch_advice(job.world, environment, machine)) spdlog::warn("{}", advice);
  }
  return job;
}

void leave_it_to_rank0() {
  try {
    if (distributed::world_of(distributed::process_environment()).rank == 0) return;
  } catch (const Error&) {
    return;  // the rank is unknown
  }
  std::this_thread::sleep_for(time_to_be_ended);
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

int speaking_on_rank0(Job& job, const std::function<int()>& body) {
  const auto end = job.ranks->duplicate("the end of the command");
  const int rank = job.world.rank;
  distributed::Outcome mine;
  int code = 0;
  try {
    require_one_build(*job.ranks);
    code = body();
  } catch (...) {
    mine = distributed::current_failure();
    const auto failing = job.watch->failing(mine.message);
    if (distributed::settle(*end, mine, time_to_fail)) {
      if (rank == 0) throw;
      spdlog::error("{}", mine.message);
      return static_cast<int>(mine.code);
    }
    if (rank != 0) std::this_thread::sleep_for(courtesy);
    std::fprintf(stderr, "rank %d: %s\n", rank, mine.message.c_str());
    job.ranks->abort(mine.code);
  }
  const auto agreed = distributed::settle(*end, {}, time_to_fail);
  if (agreed->rank < 0) return code;
  if (rank == 0) spdlog::error("rank {}: {}", agreed->rank, agreed->outcome.message);
  return static_cast<int>(agreed->outcome.code);
}

}  // namespace penstock::launch
