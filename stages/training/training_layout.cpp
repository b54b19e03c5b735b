#include "stages/training/training_layout.h"

#include "stages/training/figures.h"
#include "stages/training/norms.h"

namespace penstock::stages {

using distributed::Reproducible;

// "world" costs 1 % of a step on two cores (tests/benchmarks/training world), and a rule by which the rank count
// decided would break its promise: a training may resume at another rank count and end with the same bits.
Reproducible reproducible_of(const TrainParameters& parameters) {
  return norm_rule(parameters.norm).over_ranks || parameters.reproducible == "run" ? Reproducible::run
                                                                                   : Reproducible::world;
}

int items_of(const TrainParameters& parameters, int ranks) {
  return norm_rule(parameters.norm).over_ranks ? ranks : static_cast<int>(parameters.micro_shards());
}

std::vector<distributed::Bucket> gradient_buckets(const std::vector<size_t>& slots, int64_t statistics) {
  return distributed::standard_buckets(slots, static_cast<size_t>(statistics) + figure_count);
}

}  // namespace penstock::stages
