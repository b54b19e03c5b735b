// One execution of a stage's body on the ranks of a group, as rank 0 describes it to the others.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "distributed/collectives.h"
#include "pipeline/events.h"
#include "pipeline/stage.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

// What every rank must know to take part. Travels packed (packed_value.h).
struct StageCall {
  std::string stage;
  std::string kind;
  Values values;
  std::map<std::string, std::vector<InputSource>> inputs;
  std::map<std::string, std::filesystem::path> outputs;
  std::filesystem::path progress;
  std::vector<std::filesystem::path> relatives;
  std::string lineage;  // for a kind that reads it; else empty
};
Value to_json(const StageCall& call);
StageCall stage_call_from_json(const Value& json);

// What a rank contributes to every stage.
struct RankTools {
  const StageTable& kinds;
  distributed::Communicator& ranks;  // that the stage runs on
  int threads;
  std::atomic<bool>& interrupted;
  distributed::Watch& watch;
};

// What rank 0 alone knows of a shared stage: the parts of a chunk's key that are not its samples.
struct ChunkKeys {
  Values parameters;  // those that affect the output
  std::map<std::string, std::string> environment;
  std::vector<std::pair<std::string, Digest>> inputs;  // not split by sample
  Digest action = {};                                  // of the stage; in no chunk's key
};

// Collective. Scopes all_ranks and shared; rank0 is called on rank 0 alone. Returns the outcome, the same on every
// rank. A throw on one rank while others wait for it (scope all_ranks) calls `before_abort`, says why, and ends the
// job.
distributed::Outcome call_stage(const StageCall& call, const RankTools& tools, Events& events, ScoreBoard* scores,
                                Store& store, const ChunkKeys* keys,
                                const std::function<void(const distributed::Outcome&)>& before_abort);

}  // namespace penstock::pipeline
