// One stage instance, as rank 0 orders it from the ranks that are to run it; they answer with a NodeResult
// (node_result.h). A value; travels packed (packed_value.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/early_stop.h"
#include "pipeline/keys.h"
#include "pipeline/run/stage_call.h"

namespace penstock::pipeline {

struct StageOrder {
  int node = -1;
  std::string stage;                 // its name in the configuration; call.stage is what messages call it
  std::string run;                   // the run whose events these are; empty: several runs', or no matrix
  std::string reason;                // why it runs
  StageCall call;                    // outputs and progress are filled in by the group that runs it
  KeyFields fields;                  // of the action key
  std::vector<PublishedPort> ports;  // names and marks of the outputs
  std::optional<Digest> recipe;      // to publish beside the action key
  std::optional<Digest> family;
  ChunkKeys chunks;
  // Where the run may be given up: its name in the sweep, and the sweep's rule and folder.
  struct InSweep {
    Digest name;
    std::string label;
    EarlyStop rule;
    std::filesystem::path folder;
  };
  std::optional<InSweep> sweep;
  std::vector<std::pair<int, Digest>> objects;                    // what it reads: (node that published it, object)
  std::vector<std::pair<std::filesystem::path, Digest>> outside;  // what it reads elsewhere, and its signature
  bool replace = false;                                           // what is published is replaced: forced, or damaged
  bool resume = true;
  int retries = 0;

  std::string to_text() const;
  static StageOrder from_text(const std::string& text);
};

}  // namespace penstock::pipeline
