// Decides on rank 0: whether each stage instance is a hit or runs, which group runs it, and what its result means for
// the rest. Used by the runner on rank 0 only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/plan/explain.h"
#include "pipeline/plan/schedule.h"
#include "pipeline/run/run_options.h"
#include "pipeline/run/stage_order.h"

namespace penstock::pipeline {

// Any thread.
class Conductor {
 public:
  Conductor(const Graph& graph, const RunOptions& options, std::atomic<bool>& interrupted, Store& store, Plan plan,
            int ranks);

  // How many ranks the next instance is to run on: all of them, fewer (then several groups of that size work side by
  // side), or 0 when there is nothing left to run.
  int next_width();
  // An instance for a group of `width` ranks; nullopt when there is none now.
  std::optional<StageOrder> next(int width);
  // Nothing is left for groups of this width: none is ready, and none is running that could make one ready.
  bool is_over(int width);
  // Blocks until something ended, or 100 ms passed.
  void wait_for_change();
  // Interrupted, or a failure is to stop what runs beside it.
  bool stops_all() const { return interrupted_.load(); }

  // The result of an instance that next() gave. `elsewhere`: it ran on ranks whose log is not shown here.
  void accept(NodeResult result, bool elsewhere = false);
  // After the last instance: publishes the runs that were begun and did not end. Returns the exit code of the whole.
  ExitCode finish();

 private:
  void settle();
  std::optional<NodeResult> decide(int node);
  void close(NodeResult result);
  void redo(const NodeResult& result);
  StageOrder make_order(int node);
  bool fits(int node, int width) const;
  bool is_complete(const Node& node) const;
  std::string run_of(const Node& node) const;
  void judge(NodeResult& result) const;
  void warn_of_cached() const;
  void publish(int run);
  std::vector<NodeResult> results_of(const Run& run) const;
  bool halted() const { return failed_stop_ || interrupted_.load(); }

  const Graph& graph_;
  const RunOptions& options_;
  std::atomic<bool>& interrupted_;
  Store& store_;
  const Plan plan_;
  const int ranks_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Schedule schedule_;
  Explainer explainer_;
  Publications published_;
  std::vector<NodeResult> results_;       // of those that ended; `node` is -1 before
  std::set<int> redo_;                    // their stored output was bad
  std::set<std::pair<int, int>> to_run_;  // (first run, node), decided and not handed out
  size_t running_ = 0;
  std::vector<int> open_in_run_;    // wanted instances of each run that have not ended
  std::vector<bool> is_published_;  // of each run
  bool failed_stop_ = false;        // a failure, and no --keep-going
};

}  // namespace penstock::pipeline
