// How long a run may take, and the request to stop early enough to save its state. Used by the run command.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "distributed/communicator.h"
#include "distributed/watchdog/watch.h"
#include "distributed/world.h"

namespace penstock::launch {

// "3h50m", "90s", "1d2h", "45" (seconds). Throws Error(usage).
double seconds_of(const std::string& text);

// Seconds from now: as requested, else to the end of the Slurm job (SLURM_JOB_END_TIME; `unix_time` is now); nullopt:
// no end. Throws Error(environment) when that is too short to start, to work and to save.
std::optional<double> seconds_to_run(const std::string& asked, const distributed::Environment& environment,
                                     double unix_time);

// Collective. The above as rank 0 sees it, or its error, on every rank.
std::optional<double> keep_time(distributed::Communicator& ranks, const std::string& asked);

// Sets the end in `watch` and raises `stops` when it is time to save. Without `seconds` it does nothing.
class TimeKeeper {
 public:
  TimeKeeper(std::optional<double> seconds, distributed::Watch& watch, std::atomic<bool>& stops);
  ~TimeKeeper();
  TimeKeeper(const TimeKeeper&) = delete;
  TimeKeeper& operator=(const TimeKeeper&) = delete;
  // True once it is time to save: also when another rank's thread noticed it before this one's did.
  bool is_over() const { return watch_.seconds_left() <= watch_.seconds_to_stop(); }

 private:
  const distributed::Watch& watch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace penstock::launch
