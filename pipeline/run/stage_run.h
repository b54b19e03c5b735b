// One stage instance from order to publication, on the ranks of one group: lease, staging, body, commit, record.
#pragma once

#include <functional>
#include <memory>

#include "pipeline/run/stage_order.h"
#include "pipeline/store/lease.h"

namespace penstock::pipeline {

// On rank 0 of a group; the others follow what it broadcasts. One thread.
class StageRun {
 public:
  StageRun(const RankTools& tools, const RunOptions& options, Store& store);

  // Collective with the group's followers. `before_abort` is called when the job is about to be ended, because a rank
  // failed while others wait for it, with what is known.
  NodeResult run(const StageOrder& order, const std::function<void(const NodeResult&)>& before_abort);

 private:
  std::unique_ptr<Lease> claim(const StageOrder& order, NodeResult& result);
  bool made_meanwhile(const StageOrder& order, NodeResult& result) const;
  void attempt(const StageOrder& order, NodeResult& result, const std::function<void(const NodeResult&)>& before_abort);
  std::optional<Attempt> maker_of(const Digest& action) const;
  PublicationPointer commit(const StageOrder& order, const std::filesystem::path& staging, const Attempt& attempt);
  void record(const StageOrder& order, Attempt& attempt, const distributed::Outcome& outcome, NodeResult& result) const;

  const RankTools& tools_;
  const RunOptions& options_;
  Store& store_;
  Leases leases_;
};

// A stage that checks data publishes verdict.json. What it refuses with, or nothing.
std::optional<std::string> refusal_of(const Publication& published, const Store& store);

}  // namespace penstock::pipeline
