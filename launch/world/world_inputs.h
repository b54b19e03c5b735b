// What `penstock plan --world` knows of a training before it has run: samples, grid, pace and link, each with its
// source. Nothing is guessed: what is unknown stays empty, with a sentence on how to find out. Called by
// make_world_plan.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launch/job/planned_config.h"
#include "stages/training/links.h"
#include "stages/training/scaling.h"

namespace penstock::launch {

// Flags of plan --world.
struct WorldFlags {
  std::string world;             // "8", "1,2,4,8": rank counts to plan; empty: none
  std::string link, node_link;   // names or figures of links.h, or "measured"; empty: what was measured here
  int ranks_per_node = 0;        // 0: all links are `link`
  int threads = 0;               // of a rank; 0: as measured
  double images_per_second = 0;  // of one rank; 0: as measured
  int64_t samples = 0;           // of the train subset; 0: as the split says
};

// The rank counts in order. Throws Error(usage) for one outside 1 to 2^20.
std::vector<int> rank_counts(const std::string& world);

struct KnownFabric {
  std::optional<distributed::Fabric> fabric;
  std::string description;  // its links with figures and sources; or how to give one
};
// Throws Error(usage) for an unknown link.
KnownFabric fabric_of(const WorldFlags& flags);

struct KnownTraining {
  stages::Workload workload;
  std::string samples_from;  // "in the split"; where they are not known, how to find out
  std::optional<stages::Pace> pace;
  std::string pace_from;          // likewise
  int threads = 1;                // of a rank
  std::optional<int64_t> images;  // of all subsets: what the shared stages work on
};

// Reads what the store, the cache of measurements and the flags say, each file once: a sweep may have thousands of
// trainings.
class TrainingInputs {
 public:
  TrainingInputs(const PlannedConfig& planned, const WorldFlags& flags) : planned_(planned), flags_(flags) {}

  KnownTraining of(const pipeline::Node& train);

 private:
  // What a finished training of the store recorded.
  struct Finished {
    pipeline::Value telemetry, curves, model;
  };
  const pipeline::Value& json(const std::vector<pipeline::PublishedPort>& ports, const std::string& port,
                              const char* file);
  const pipeline::Value& json(const pipeline::Node* node, const std::string& port, const char* file);
  void find_grid(const pipeline::Node& train, stages::Workload& workload);
  void find_samples(const pipeline::Node& train, KnownTraining& known);
  void count_split(const pipeline::Node& train, const pipeline::Value& subsets, KnownTraining& known);
  void balance(const pipeline::Node& train, const pipeline::Value& ids, const std::vector<double>& areas,
               KnownTraining& known);
  bool own_sizes(const pipeline::Node& train);
  void find_pace(KnownTraining& known);
  bool take_measured(KnownTraining& known);
  bool take_history(KnownTraining& known);

  const PlannedConfig& planned_;
  const WorldFlags& flags_;
  std::map<std::string, pipeline::Value> files_;     // by digest and name
  std::map<std::string, pipeline::Value> measured_;  // by the command that measures it
  std::optional<std::vector<Finished>> finished_;
};

}  // namespace penstock::launch
