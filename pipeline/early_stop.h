// Giving up the runs of a sweep that do worse than the others: [matrix.early_stop]. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::pipeline {

struct EarlyStop {
  enum class Method {
    asha,    // at min, min * eta, min * eta^2, ... units: the best 1/eta of those that reached it continue
    median,  // after min units: not worse than the median of the others' running means
  };
  Method method = Method::asha;
  std::string stage;   // that reports scores while it runs
  std::string metric;  // the score that is compared
  bool larger_is_better = false;
  int64_t min = 1;       // units (epochs) before the first decision
  int64_t eta = 3;       // asha
  int64_t start_up = 3;  // median: other runs that must have reached the unit

  bool decides_at(int64_t unit) const;
};

Value to_json(const EarlyStop& rule);
EarlyStop early_stop_from_json(const Value& json);

// A run's scores by unit, from 1; units may be missing.
using Scores = std::map<int64_t, double>;

// Whether a run with `mine` may continue after `unit`, given what is known of the others. `mine` holds a score at
// `unit`; a run whose score is NaN there never continues. Asha after Li et al. 2020, "A system for massively parallel
// hyperparameter tuning" (MLSys), in its stopping form; the median rule after Golovin et al. 2017, "Google Vizier"
// (KDD), section 3.2.2.
bool may_continue(const EarlyStop& rule, int64_t unit, const Scores& mine, const std::vector<Scores>& others);

}  // namespace penstock::pipeline
