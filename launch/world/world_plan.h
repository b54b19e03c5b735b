// penstock plan --world: a job of N ranks, tried out on paper.
#pragma once

#include <string>
#include <vector>

#include "launch/world/world_inputs.h"

namespace penstock::launch {

// Trainings that a rank count treats alike: all that differ in learning rate, loss, seed and the like.
struct PlannedTraining {
  std::string label;  // "train", "train@1f0a2b3c4d"
  int instances = 1;
  int asked = 0;  // ranks that one instance asks for; 0: all
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
WorldPlan make_world_plan(const Looked& looked, const WorldFlags& flags);

std::string text_of(const WorldPlan& plan);
pipeline::Value json_of(const WorldPlan& plan);

}  // namespace penstock::launch
