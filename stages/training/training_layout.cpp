#include "stages/training/training_layout.h"

namespace penstock::stages {

using distributed::Reproducible;

// "world" costs 1 % of a step on two cores (tests/benchmarks/training world), and a rule by which the rank count
// decided would break its promise: a training may go on at another rank count and end with the same bits.
Reproducible reproducible_of(const TrainParameters& parameters) {
  return parameters.norm == "sync" || parameters.reproducible == "run" ? Reproducible::run : Reproducible::world;
}

int items_of(const TrainParameters& parameters, int ranks) {
  return parameters.norm == "sync" ? ranks : static_cast<int>(parameters.micro_shards());
}

std::vector<distributed::Bucket> gradient_buckets(const std::vector<size_t>& slots, int64_t statistics) {
  return distributed::standard_buckets(slots, static_cast<size_t>(statistics) + figure_count);
}

}  // namespace penstock::stages
