// Advice on launch lines that work but leave most of the machine idle. Logged by join(); checked by doctor.
#pragma once

#include <string>
#include <vector>

#include "distributed/world.h"

namespace penstock::launch {

struct Machine {
  int allowed_cores = 1;  // that this rank may use
  int job_cores = 1;      // that the launcher may hand out on this machine
  int gpus = 0;           // that ranks compute on; 0 when they do not
};
Machine this_machine();

// One sentence for each problem, with a better launch line.
std::vector<std::string> launch_advice(const distributed::World& world, const distributed::Environment& environment,
                                       const Machine& machine);

}  // namespace penstock::launch
