// One stage instance from order to result, on the ranks of one group: inputs verified, lease, attempts with retries.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pipeline/run/stage_attempt.h"
#include "pipeline/store/lease.h"

namespace penstock::pipeline {

// On rank 0 of a group; the others follow what it broadcasts. One thread.
class StageRun {
 public:
  StageRun(const RankTools& tools, const RunOptions& options, Store& store);

  // Collective with the group's followers. Never throws: a failure is in the result.
  NodeResult run(const StageOrder& order, const BeforeAbort& before_abort);

 private:
  std::unique_ptr<Lease> claim(const StageOrder& order, NodeResult& result);
  bool made_meanwhile(const StageOrder& order, NodeResult& result) const;

  const RankTools& tools_;
  const RunOptions& options_;
  Store& store_;
  Leases leases_;
};

// A stage that checks data publishes verdict.json. What it refuses with, or nothing.
std::optional<std::string> refusal_of(const Publication& published, const Store& store);
// The warnings of a verdict.json in a published port, summed up in one line; nullopt when there is none.
std::optional<std::string> warnings_of(const Publication& published, const Store& store);

}  // namespace penstock::pipeline
