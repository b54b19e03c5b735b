// What `penstock plan --world` knows of a training before it has run: samples, grid, pace and link, each with where it
// is from. Nothing is made up: what is not known is missing, with the way to learn it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launch/job/looked.h"
#include "stages/training/links.h"
#include "stages/training/scaling.h"

namespace penstock::launch {

// Flags of plan --world.
struct WorldFlags {
  std::string world;             // "8", "1,2,4,8": ranks of jobs to imagine; empty: none
  std::string link, node_link;   // names or figures of links.h, or "measured"; empty: what was measured here
  int ranks_per_node = 0;        // 0: all links are `link`
  int threads = 0;               // of a rank; 0: as measured
  double images_per_second = 0;  // of one rank; 0: as measured
  int64_t samples = 0;           // of the train subset; 0: as the split says
};

// The rank counts in order. Throws Error(usage) for one that is no number from 1 to 2^20.
std::vector<int> rank_counts(const std::string& world);

struct KnownFabric {
  std::optional<distributed::Fabric> fabric;
  std::string told;  // its links with figures and sources; or what to do where none is known
};
// Throws Error(usage) for an unknown link.
KnownFabric fabric_of(const WorldFlags& flags);

struct KnownTraining {
  stages::Workload workload;
  std::string samples_from;  // "in the split"; where they are not known, how to learn
  std::optional<stages::Pace> pace;
  std::string pace_from;          // likewise
  int threads = 1;                // of a rank
  std::optional<int64_t> images;  // of all subsets: what the shared stages work on
};

// Reads what the store, the cache of measurements and the flags say, each file once: a sweep may have thousands of
// trainings.
class TrainingInputs {
 public:
  TrainingInputs(const Looked& looked, const WorldFlags& flags) : looked_(looked), flags_(flags) {}

  KnownTraining of(const pipeline::Node& train);

 private:
  // What a finished training of the store says of itself.
  struct Finished {
    pipeline::Value telemetry, curves, model;
  };
  const pipeline::Value& json(const std::vector<pipeline::PublishedPort>& ports, const std::string& port,
                              const char* file);
  const pipeline::Value& json(const pipeline::Node* node, const std::string& port, const char* file);
  void find_grid(const pipeline::Node& train, stages::Workload& workload);
  void find_samples(const pipeline::Node& train, KnownTraining& known);
  void find_pace(KnownTraining& known);
  bool take_measured(KnownTraining& known);
  bool take_history(KnownTraining& known);

  const Looked& looked_;
  const WorldFlags& flags_;
  std::map<std::string, pipeline::Value> files_;     // by digest and name
  std::map<std::string, pipeline::Value> measured_;  // by the command that measures it
  std::optional<std::vector<Finished>> finished_;
};

}  // namespace penstock::launch
