// Executes a graph on the ranks of one job. Rank 0 plans once and tells the others what to do; nobody else ever
// decides.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "pipeline/config/config.h"
#include "pipeline/events.h"
#include "pipeline/plan/plan.h"
#include "pipeline/stage.h"

namespace penstock::pipeline {

enum class Ended {
  hit,
  ran,
  failed,
  interrupted,
  pruned,   // given up in its sweep; its state is kept
  damaged,  // did not start: an input's stored bytes are bad (NodeResult::damaged); never seen by publish
  not_reached,
};
const char* name_of(Ended ended);  // "hit", "ran", ... "not reached": as events, lineage and `run --json` say it

struct NodeResult {
  int node = -1;
  Ended ended = Ended::not_reached;
  std::string reason;  // why it ran, or why it is a hit, or why it was not reached
  double seconds = 0;
  ExitCode code = ExitCode::done;
  std::string message;           // of a failure
  PublicationPointer published;  // of hit and ran
  std::vector<int> damaged;      // nodes whose stored output is bad

  bool good() const { return ended == Ended::hit || ended == Ended::ran; }
};

struct RunOptions {
  Selection selection;
  int threads = 1;          // of this rank
  int jobs = 1;             // stage instances side by side, as far as there are ranks
  bool keep_going = false;  // a failure stops only what depends on it
  bool fail_fast = false;   // a failure interrupts what runs beside it
  bool verify_inputs = false;
  bool no_commands = false;  // refuse command stages
  bool use_leases = true;
  bool wait_for_leases = true;          // false: Error(cannot_create) naming the holder
  std::filesystem::path cache;          // folder of the stat cache
  distributed::Watch* watch = nullptr;  // of this rank; null: nobody watches
  // Where a run's events go; called with "" for what several runs share. Null: nowhere.
  std::function<std::filesystem::path(const std::string& run)> events_file = nullptr;
  std::function<void(const Value&)> listener = nullptr;  // sees every event of this rank's stages
  // Rank 0, when all instances of a run ended, well or not: writes runs/<pipeline>/. From one thread at a time.
  std::function<void(const Graph&, const Run&, const std::vector<NodeResult>&, const Store&)> publish = nullptr;
  // Rank 0, once for each stage that failed, at that moment; the runner itself says it in the ranks' logs only.
  std::function<void(const Graph&, const NodeResult&)> tell_failure = nullptr;
  // Starts a new stage's log, and gives its last lines; may be null.
  std::function<void()> begin_log = nullptr;
  std::function<std::string()> end_of_log = nullptr;
};

// Collective over `ranks`. Rank 0 passes the loaded configuration, the others null. Returns the exit code, the same on
// all ranks: of the first failed stage in graph order, or done, or interrupted. Errors of a stage are logged and
// recorded, not thrown; what is wrong before the first stage (a missing input) is thrown on every rank. `interrupted`
// is set by signals, and by a failure under fail_fast.
ExitCode run_graph(const Graph* graph, const StageTable& kinds, const RunOptions& options,
                   distributed::Communicator& ranks, std::atomic<bool>& interrupted);

// What the report says of the pipeline, as JSON:
// {"pipeline", "run", "label", "config", "environment": {...},
//  "stages": [{"name", "kind", "version", "state": "hit"|"ran"|"failed"|"interrupted"|"not reached", "reason",
//              "seconds", "parameters": {...}, "inputs": {port: [..]}, "outputs": {port: digest},
//              "attempts": [{fields of Attempt}]}]}
std::string lineage_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store);

}  // namespace penstock::pipeline
