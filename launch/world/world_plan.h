// The dry run of a job of N ranks for `penstock plan --world`: computed from the configuration and measurements,
// without ranks. Called by the plan command.
#pragma once

#include <string>
#include <vector>

#include "launch/world/world_inputs.h"

namespace penstock::launch {

// Trainings with the same plan for every rank count: they differ only in learning rate, loss, seed and the like.
struct PlannedTraining {
  std::string label;  // "train", "train@1f0a2b3c4d"
  int instances = 1;
  int asked = 0;  // ranks that one instance requests; 0: all
  KnownTraining known;
  std::optional<stages::StepTimes> alone;  // on 1 rank
  std::vector<stages::RanksPlan> plans;    // as WorldPlan::counts

  int ranks_of(int count) const { return asked > 0 && asked < count ? asked : count; }
};

// A stage that all ranks share.
struct PlannedShare {
  std::string stage;
  int64_t buckets = 0;  // at most
};

struct WorldPlan {
  std::vector<int> counts;
  KnownFabric fabric;
  std::vector<PlannedTraining> trainings;
  std::vector<PlannedShare> shares;
};

// Throws Error(usage) where nothing trains, for a rank count or a link that does not exist.
WorldPlan make_world_plan(const PlannedConfig& planned, const WorldFlags& flags);

}  // namespace penstock::launch
