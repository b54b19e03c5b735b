// This process among those that one launch line started, for the commands that work on ranks.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "distributed/communicator.h"
#include "distributed/world.h"
#include "launch/options.h"

namespace penstock::launch {

struct Job {
  distributed::World world;
  std::unique_ptr<distributed::Communicator> ranks;
  int threads = 1;  // that this rank may use
};

// Reads the environment, starts logging and opens the communicator.
Job join(const Voice& voice);

// Collective. Runs `first` on rank 0 alone. What it throws is thrown on every rank, so that all end with the same code.
void on_rank0(distributed::Communicator& ranks, const std::function<void()>& first, std::string_view what);

// Only rank 0 speaks: on the others an error that all ranks share is just the exit code.
int speaking_on_rank0(int rank, const std::function<int()>& body);

}  // namespace penstock::launch
