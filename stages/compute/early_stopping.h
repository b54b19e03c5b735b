// The two callbacks of training: which epoch is best, and when to stop. Pure; the counters travel in checkpoints.
#pragma once

#include <limits>
#include <optional>

#include "pipeline/value.h"

namespace penstock::stages {

// Remembers the best epoch of a figure.
class BestEpoch {
 public:
  BestEpoch(bool larger_is_better, int64_t every) : larger_(larger_is_better), every_(every) {}
  // True when this epoch (from 1) is the best so far. NaN never is. Epochs that `every` does not divide are not compared,
  // but for the last.
  bool update(int64_t epoch, double value, bool last);

  int64_t epoch() const { return epoch_; }  // 0: none yet
  std::optional<double> value() const { return value_; }
  pipeline::Value to_json() const;
  void restore(const pipeline::Value& json);

 private:
  bool larger_;
  int64_t every_;
  int64_t epoch_ = 0;
  std::optional<double> value_;
};

// Says stop when a figure has not improved by more than min_delta for `patience` epochs after the warm-up.
class EarlyStopping {
 public:
  EarlyStopping(bool larger_is_better, int64_t patience, double min_delta, int64_t warm_up)
      : larger_(larger_is_better), patience_(patience), min_delta_(min_delta), warm_up_(warm_up) {}
  // After each epoch (from 1). Patience 0 never stops.
  bool update(int64_t epoch, double value);

  pipeline::Value to_json() const;
  void restore(const pipeline::Value& json);

 private:
  bool larger_;
  int64_t patience_;
  double min_delta_;
  int64_t warm_up_;
  int64_t waited_ = 0;
  std::optional<double> best_;
};

}  // namespace penstock::stages
