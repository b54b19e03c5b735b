// One attempt at a stage instance, on the ranks of one group: staging, body, commit, record. Used once, by StageRun, on
// rank 0 of the group; the others follow what it broadcasts. One thread, but for close().
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>

#include "pipeline/plan/sweep.h"
#include "pipeline/run/node_result.h"
#include "pipeline/run/run_options.h"
#include "pipeline/run/stage_order.h"

namespace penstock::pipeline {

// Called when the job is about to be ended, because a rank failed while others wait for it, with what is known.
using BeforeAbort = std::function<void(const NodeResult&)>;

// The sweep, as the body sees it.
class SweepBoard final : public ScoreBoard {
 public:
  explicit SweepBoard(const StageOrder::InSweep& place) : sweep_(place.folder, place.rule), place_(place) {}

  bool report(int64_t unit, const std::map<std::string, double>& figures, bool last) override;
  int64_t given_up_at() const { return given_up_at_; }  // the unit; 0: not given up

 private:
  Sweep sweep_;
  const StageOrder::InSweep& place_;
  int64_t given_up_at_ = 0;
};

class StageAttempt {
 public:
  // All outlive the attempt.
  StageAttempt(const StageOrder& order, const RankTools& tools, const RunOptions& options, Store& store);

  // Collective with the group's followers. Never throws: a failure is in the result.
  NodeResult run(const BeforeAbort& before_abort);

 private:
  // In this order.
  StageCall prepare();
  distributed::Outcome call(const StageCall& call, const BeforeAbort& before_abort);
  distributed::Outcome publish();
  void close(const distributed::Outcome& outcome);

  PublicationPointer commit();
  std::optional<Attempt> maker() const;
  void report_nondeterminism(const Publication& published, const std::vector<PublishedPort>& made,
                             const Attempt& maker) const;
  void record(const distributed::Outcome& outcome);
  void log_end(const distributed::Outcome& outcome) const;
  std::filesystem::path finished_mark() const;
  bool is_given_up() const { return board_ && board_->given_up_at() > 0; }

  const StageOrder& order_;
  const RankTools& tools_;
  const RunOptions& options_;
  Store& store_;
  const Digest action_;
  const AttemptClock clock_;
  Attempt attempt_;
  NodeResult result_;
  std::filesystem::path staging_;
  std::optional<SweepBoard> board_;
  std::mutex closing_;  // the watchdog's thread closes when the job is about to be ended
  bool closed_ = false;
};

}  // namespace penstock::pipeline
