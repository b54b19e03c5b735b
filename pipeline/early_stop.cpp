#include "pipeline/early_stop.h"

#include <algorithm>
#include <cmath>

#include "distributed/check.h"

namespace penstock::pipeline {
namespace {

bool asha(const EarlyStop& rule, int64_t unit, double mine, const std::vector<Scores>& others) {
  int64_t arrived = 1, better = 0;
  for (const Scores& scores : others) {
    const auto at = scores.find(unit);
    if (at == scores.end()) continue;
    ++arrived;
    better += rule.larger_is_better ? at->second > mine : at->second < mine;
  }
  return better < (arrived + rule.eta - 1) / rule.eta;
}

bool median(const EarlyStop& rule, int64_t unit, const Scores& mine, const std::vector<Scores>& others) {
  std::vector<double> means;
  for (const Scores& scores : others) {
    if (!scores.count(unit)) continue;
    double sum = 0;
    int64_t count = 0;
    for (auto score = scores.begin(); score != scores.end() && score->first <= unit; ++score, ++count)
      sum += score->second;
    if (!std::isnan(sum)) means.push_back(sum / static_cast<double>(count));
  }
  if (means.empty() || static_cast<int64_t>(means.size()) < rule.start_up) return true;
  std::sort(means.begin(), means.end());
  const size_t half = means.size() / 2;
  const double middle = means.size() % 2 == 1 ? means[half] : (means[half - 1] + means[half]) / 2;
  double best = std::nan("");
  for (const auto& [at, score] : mine) {
    if (at > unit || std::isnan(score)) continue;
    if (std::isnan(best) || (rule.larger_is_better ? score > best : score < best)) best = score;
  }
  return rule.larger_is_better ? best >= middle : best <= middle;
}

}  // namespace

bool EarlyStop::decides_at(int64_t unit) const {
  PENSTOCK_CHECK(min >= 1 && eta >= 2, "early stopping has min of at least 1 and eta of at least 2");
  if (method == Method::median) return unit >= min;
  int64_t rung = min;
  while (rung < unit) rung *= eta;
  return rung == unit;
}

Value to_json(const EarlyStop& rule) {
  return {{"method", rule.method == EarlyStop::Method::asha ? "asha" : "median"},
          {"stage", rule.stage},
          {"metric", rule.metric},
          {"larger_is_better", rule.larger_is_better},
          {"min", rule.min},
          {"eta", rule.eta},
          {"start_up", rule.start_up}};
}

EarlyStop early_stop_from_json(const Value& json) {
  return {json.at("method") == "asha" ? EarlyStop::Method::asha : EarlyStop::Method::median,
          json.at("stage"),
          json.at("metric"),
          json.at("larger_is_better"),
          json.at("min"),
          json.at("eta"),
          json.at("start_up")};
}

bool may_continue(const EarlyStop& rule, int64_t unit, const Scores& mine, const std::vector<Scores>& others) {
  if (!rule.decides_at(unit)) return true;
  const auto reached = mine.find(unit);
  PENSTOCK_CHECK(reached != mine.end(), "a run is judged after its score at the unit is known");
  const double score = reached->second;
  if (std::isnan(score)) return false;
  return rule.method == EarlyStop::Method::asha ? asha(rule, unit, score, others) : median(rule, unit, mine, others);
}

}  // namespace penstock::pipeline
