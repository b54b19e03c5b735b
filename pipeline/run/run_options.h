// How a graph is to be run: filled by the command, read by every part of the runner. Valid, and unchanged, during
// run_graph.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "distributed/watchdog/watch.h"
#include "pipeline/plan/plan.h"
#include "pipeline/run/node_result.h"

namespace penstock::pipeline {

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
  distributed::Watch* watch = nullptr;  // of this rank; null: no watchdog
  // Where a run's events go; called with "" for what several runs share. Null: nowhere.
  std::function<std::filesystem::path(const std::string& run)> events_file = nullptr;
  std::function<void(const Value&)> listener = nullptr;  // sees every event of this rank's stages
  // Rank 0, when all instances of a run ended, well or not: writes runs/<pipeline>/. From one thread at a time. The
  // results are the run's; what is published is that of every node, for what gathers over runs.
  std::function<void(const Graph&, const Run&, const std::vector<NodeResult>&, const Publications&, const Store&)>
      publish = nullptr;
  // Rank 0, once for each stage that failed, at that moment; the runner itself says it in the ranks' logs only.
  std::function<void(const Graph&, const NodeResult&)> tell_failure = nullptr;
  // Starts a new stage's log, and gives its last lines; may be null.
  std::function<void()> begin_log = nullptr;
  std::function<std::string()> end_of_log = nullptr;
};

}  // namespace penstock::pipeline
