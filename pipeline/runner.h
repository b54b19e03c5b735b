// Executes a graph on the ranks of one job. Rank 0 plans once and broadcasts what to do; nobody else ever decides.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "pipeline/config.h"
#include "pipeline/events.h"
#include "pipeline/plan.h"
#include "pipeline/stage.h"

namespace penstock::pipeline {

enum class Ended { hit, ran, failed, interrupted, not_reached };
const char* name_of(Ended ended);  // "hit", "ran", ... "not reached": as events, lineage and `run --json` say it

struct NodeResult {
  int node = -1;
  Ended ended = Ended::not_reached;
  std::string reason;               // why it ran, or why it is a hit
  double seconds = 0;
  ExitCode code = ExitCode::done;
  std::string message;              // of a failure
  std::optional<Manifest> manifest; // of hit and ran
};

struct RunOptions {
  Selection selection;
  int threads = 1;                   // of this rank
  bool verify_inputs = false;
  bool no_commands = false;          // refuse command stages
  std::filesystem::path cache;       // folder of the stat cache
  // Rank 0, after the nodes of each run of the matrix ended, well or not: writes runs/<pipeline>/. `lineage` is
  // lineage_of below.
  std::function<void(const Graph&, const Run&, const std::vector<NodeResult>&, const Store&, const std::string& lineage)>
      publish = nullptr;
  // The end of this rank's log, for attempts; may be null.
  std::function<std::string()> log_tail = nullptr;
};

// Collective over `ranks`. Rank 0 passes the loaded configuration, the others null. Returns the exit code, the same on
// all ranks: of the first failed stage in graph order, or done, or interrupted. Errors of a stage are logged and
// recorded, not thrown; what is wrong before the first stage (a missing input) is thrown on every rank.
ExitCode run_graph(const Graph* graph, const StageTable& kinds, const RunOptions& options,
                   distributed::Communicator& ranks, Events& events, const std::atomic<bool>& interrupted);

// What the report says of the pipeline, as JSON:
// {"pipeline", "run", "label", "config", "environment": {...},
//  "stages": [{"name", "kind", "version", "state": "hit"|"ran"|"failed"|"interrupted"|"not reached", "reason",
//              "seconds", "parameters": {...}, "inputs": {port: [..]}, "outputs": {port: digest},
//              "attempts": [{fields of Attempt}]}]}
std::string lineage_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store);

}  // namespace penstock::pipeline
