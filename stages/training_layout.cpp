#include "stages/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Reproducible;

// Gathering the tree's nodes moves (ranks) vectors where an all-reduce moves about two.
constexpr int world_up_to_ranks = 4;

}  // namespace

Reproducible reproducible_of(const TrainParameters& parameters, int ranks) {
  if (parameters.norm == "sync") return Reproducible::run;
  if (parameters.reproducible == "auto") return ranks <= world_up_to_ranks ? Reproducible::world : Reproducible::run;
  return parameters.reproducible == "world" ? Reproducible::world : Reproducible::run;
}

int items_of(const TrainParameters& parameters, int ranks) {
  return parameters.norm == "sync" ? ranks : static_cast<int>(parameters.micro_shards());
}

std::vector<distributed::Bucket> gradient_buckets(const std::vector<size_t>& slots, int64_t statistics) {
  return distributed::standard_buckets(slots, static_cast<size_t>(statistics) + figure_count);
}

}  // namespace penstock::stages
