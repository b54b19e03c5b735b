// This process among those that one launch line started, for the commands that work on ranks.
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

// Reads the environment, starts logging, opens the communicator and has it watched. `stops` is what signals raise here.
Job join(const Voice& voice, std::atomic<bool>* stops);

// Before the message of what failed while ranks have not met (a wrong flag, a wrong variable): most likely it fails
// alike on all of them. Rank 0 goes on at once; the others wait, and are ended with the job before they say the same
// again.
void leave_it_to_rank0();

// Collective. Runs `first` on rank 0 alone. What it throws is thrown on every rank, so that all end with the same code.
void on_rank0(distributed::Communicator& ranks, const std::function<void()>& first, std::string_view what);

// Collective in the end. Runs the command's work on every rank. An error that all ranks share is told by rank 0, as it
// is thrown there, and is just the exit code of the others; what a rank throws while others go on or wait for it is
// told by that rank, and ends the job with its code.
int speaking_on_rank0(Job& job, const std::function<int()>& body);

}  // namespace penstock::launch
