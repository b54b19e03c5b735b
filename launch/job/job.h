// This process as a rank of the job that one launch line started. Called by the commands that work on all ranks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "distributed/communicator.h"
#include "distributed/watchdog/watch.h"
#include "distributed/watchdog/watchdog.h"
#include "distributed/world.h"
#include "launch/job/options.h"

namespace penstock::launch {

struct Job {
  distributed::World world;
  std::unique_ptr<distributed::Watch> watch;
  std::unique_ptr<distributed::Communicator> ranks;
  std::unique_ptr<distributed::Watchdog> watchdog;  // of more ranks than one
  int threads = 1;                                  // that this rank may use
};

// Collective. Reads the environment, starts logging, opens the communicator and starts the watchdog. `stops` is the
// flag that signals raise on this rank; the watchdog raises it where any rank's was raised. May be null.
Job join(const OutputFlags& output, std::atomic<bool>* stops);

// Called before an error is printed that occurred before the ranks communicate (a wrong flag, a wrong variable): most
// likely all ranks have it. Rank 0 returns at once; the others wait, and the launcher ends them before they repeat it.
void leave_it_to_rank0();

// Collective. Runs `first` on rank 0 alone. Its error is thrown on every rank, so that all end with the same code.
void on_rank0(distributed::Communicator& ranks, const std::function<void()>& first, std::string_view what);

// Collective. Runs the command's work on every rank and returns the exit code. An error on all ranks is rethrown on
// rank 0 and becomes the exit code of the others; an error of one rank while others continue or wait for it is printed
// by that rank and aborts the job with its code.
int speaking_on_rank0(Job& job, const std::function<int()>& body);

}  // namespace penstock::launch
