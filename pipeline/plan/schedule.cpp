#include "pipeline/plan/schedule.h"

#include <algorithm>

#include "distributed/check.h"

namespace penstock::pipeline {

Schedule::Schedule(const Graph& graph, const Plan& plan)
    : graph_(graph),
      status_(graph.nodes.size()),
      well_(graph.nodes.size()),
      missing_(graph.nodes.size()),
      downstream_(graph.nodes.size()) {
  for (const PlannedNode& planned : plan.nodes) {
    runs_.push_back(planned.state != State::hit);
    if (planned.state == State::pruned) status_[runs_.size() - 1] = Status::ended;  // and not well
  }
  for (size_t node = 0; node < graph.nodes.size(); ++node) {
    if (plan.nodes[node].wanted) want(static_cast<int>(node));
  }
}

// What runs waits for all that it takes. A hit needs nothing, but waits for what runs anyway: that may publish
// something else than it did.
void Schedule::want(int node) {
  status_[node] = Status::waiting;
  ++open_;
  opened_.push_back(node);
  for (const int upstream : upstreams_of(graph_.nodes[node])) {
    if (runs_[node] && status_[upstream] == Status::unwanted) want(upstream);
    const bool open = status_[upstream] != Status::unwanted && status_[upstream] != Status::ended;
    if (!open || !(runs_[node] || runs_[upstream])) continue;
    downstream_[upstream].push_back(node);
    ++missing_[node];
  }
  if (missing_[node] == 0) make_ready(node);
}

void Schedule::make_ready(int node) {
  status_[node] = Status::ready;
  ready_.insert(rank_of(node));
}

std::vector<int> Schedule::ready() const {
  std::vector<int> nodes;
  for (const auto& [run, node] : ready_) nodes.push_back(node);
  return nodes;
}

void Schedule::start(int node) {
  PENSTOCK_CHECK(status_[node] == Status::ready, "a stage starts when it is ready");
  status_[node] = Status::running;
  ready_.erase(rank_of(node));
}

// All that it requires ended well, and of a fan-in at least one source.
bool Schedule::can_begin(int node) const {
  const auto good = [this](int upstream) { return status_[upstream] == Status::unwanted || well_[upstream]; };
  const auto required = required_by(graph_.nodes[node]), upstreams = upstreams_of(graph_.nodes[node]);
  return std::all_of(required.begin(), required.end(), good) &&
         (upstreams.empty() || std::any_of(upstreams.begin(), upstreams.end(), good));
}

std::vector<int> Schedule::end(int node, bool well) {
  PENSTOCK_CHECK(status_[node] != Status::ended && status_[node] != Status::unwanted, "a stage ends once");
  ready_.erase(rank_of(node));
  status_[node] = Status::ended;
  well_[node] = well;
  --open_;
  std::vector<int> lost;
  for (const int next : std::exchange(downstream_[node], {})) {
    if (--missing_[next] > 0 || status_[next] != Status::waiting) continue;
    if (can_begin(next)) {
      make_ready(next);
      continue;
    }
    lost.push_back(next);
    const auto further = end(next, false);
    lost.insert(lost.end(), further.begin(), further.end());
  }
  return lost;
}

std::vector<int> Schedule::again(int node, const std::vector<int>& upstreams) {
  opened_.clear();
  status_[node] = Status::waiting;
  for (const int upstream : upstreams) {
    if (status_[upstream] == Status::ended || status_[upstream] == Status::unwanted) {
      runs_[upstream] = true;
      want(upstream);
    }
    downstream_[upstream].push_back(node);
    ++missing_[node];
  }
  return std::exchange(opened_, {});
}

}  // namespace penstock::pipeline
