// Which stage instance may come next. Bookkeeping only: no files, no communication.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "pipeline/plan/plan.h"

namespace penstock::pipeline {

// One thread at a time. An instance is ready when everything wanted upstream of it has ended well; it ends once, well
// or badly, and what requires a bad one ends with it.
class Schedule {
 public:
  Schedule(const Graph& graph, const Plan& plan);

  // Ready instances: run by run, and in a run upstream first, so that a sweep's first results come early.
  std::vector<int> ready() const;
  size_t open() const { return open_; }  // wanted instances that have not ended
  bool has_ended(int node) const { return status_[node] == Status::ended; }

  void start(int node);
  // Returns the instances downstream that can no longer begin; they have ended too.
  std::vector<int> end(int node, bool well);
  // `node` did not start, because the stored output of `upstreams` is bad: they have to run, and it waits for them.
  // Returns the instances that are open again, or now.
  std::vector<int> again(int node, const std::vector<int>& upstreams);

 private:
  enum class Status { unwanted, waiting, ready, running, ended };
  std::pair<int, int> rank_of(int node) const { return {graph_.nodes[node].runs.front(), node}; }
  void want(int node);
  void make_ready(int node);
  bool can_begin(int node) const;

  const Graph& graph_;
  std::vector<Status> status_;
  std::vector<bool> runs_;                    // is no hit
  std::vector<bool> well_;                    // of those that ended
  std::vector<int> missing_;                  // wanted upstreams that have not ended
  std::vector<std::vector<int>> downstream_;  // wanted instances that wait for this one
  std::set<std::pair<int, int>> ready_;
  size_t open_ = 0;
  std::vector<int> opened_;
};

}  // namespace penstock::pipeline
