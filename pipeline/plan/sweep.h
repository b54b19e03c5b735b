// What a sweep knows of its runs beyond what they publish: their scores while they ran, what was decided about them,
// and which were given up. Kept in the store, below sweeps/<sweep id>/, so that it survives every process:
//
//   scores/<run>.json     {"label", "scores": [[unit, score]...]}          one writer: the job that runs it
//   decisions/<run>.json  [{"unit", "score", "others": {run: [[unit, score]...]}, "goes_on"}...]: what each was
//                         made from
//   pruned/<run>.json     {"label", "unit"}
//
// <run> is the recipe key of the instance that reports scores: the same whenever the same work is meant.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/early_stop.h"
#include "pipeline/plan/plan.h"

namespace penstock::pipeline {

// First 10 hex digits of H(parameters outside the axes, what lies outside, early_stop): growing an axis stays in the
// sweep.
std::string sweep_id(const Graph& graph, const Plan& plan);

// Any number of processes may use one sweep; an object serves one thread.
class Sweep {
 public:
  Sweep(std::filesystem::path folder, EarlyStop rule) : folder_(std::move(folder)), rule_(std::move(rule)) {}

  // The first score of a unit stays: a run that repeats units after a resume repeats its scores.
  void record(const Digest& run, const std::string& label, int64_t unit, double score) const;
  // Whether the run may continue after a unit that was recorded. What was decided once is not decided again.
  bool decide(const Digest& run, const std::string& label, int64_t unit) const;

  // The unit after which a run was given up.
  std::optional<int64_t> pruned_at(const Digest& run) const;

  const EarlyStop& rule() const { return rule_; }

 private:
  std::filesystem::path file(const char* table, const std::string& run) const {
    return folder_ / table / (run + ".json");
  }
  Scores scores_of(const std::string& run) const;
  std::map<std::string, Scores> scores_of_others(const std::string& run) const;

  std::filesystem::path folder_;
  EarlyStop rule_;
};

}  // namespace penstock::pipeline
