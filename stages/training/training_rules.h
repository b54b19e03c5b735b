// What training makes of the figures of its epochs: which one is best, and when to stop. Pure, so that any rank, and
// any later run that replays the figures, decides alike.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "stages/training/train_parameters.h"

namespace penstock::stages {

// Remembers the best epoch of a figure.
class BestEpoch {
 public:
  BestEpoch(bool larger_is_better, int64_t every) : larger_(larger_is_better), every_(every) {}
  // True when this epoch (from 1) is the best so far. NaN and infinity never are. Epochs that `every` does not divide
  // are not compared, except the last.
  bool update(int64_t epoch, double value, bool last);

  int64_t epoch() const { return epoch_; }  // 0: none yet
  std::optional<double> value() const { return value_; }

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
  // Patience begins anew; the best figure stays.
  void wait_again() { waited_ = 0; }

 private:
  bool larger_;
  int64_t patience_;
  double min_delta_;
  int64_t warm_up_;
  int64_t waited_ = 0;
  std::optional<double> best_;
};

// Whether a figure is measured on the validation subset: "val_loss" is, "loss" is not.
bool is_of_validation(const std::string& figure);

// A figure of an epoch's row {"train": {...}, "validation": {...} or null}: "val_loss" is validation's loss, "loss" is
// train's. NaN where there is no such figure: without validation, of an epoch without a step, of a loss that was NaN or
// infinite.
double figure_of(const std::string& name, const pipeline::Value& row);

// The rules of one run. Where there is no validation subset, early stopping that watches a figure of it never stops,
// and there are no plateaus of such a figure.
class TrainingRules {
 public:
  explicit TrainingRules(const TrainParameters& parameters);

  struct Decision {
    bool best = false;  // this epoch is the best so far
    bool stop = false;  // no further epoch
  };
  Decision update(int64_t epoch, const pipeline::Value& row);
  // The same for all of `rows` in order; the decision after the last. `stopped_before`: whether an earlier one
  // already was to stop.
  Decision replay(const pipeline::Value& rows, bool* stopped_before);

  const BestEpoch& best() const { return best_; }
  bool larger() const { return larger_; }  // of the monitored figure
  // What the learning rate is multiplied with after the epochs so far: less at each plateau, which are as many epochs
  // without improvement as train.plateau.patience says; 1 with a schedule that does not look for any.
  double rate_factor() const { return rate_factor_; }

 private:
  std::string monitor_, stop_monitor_;
  int64_t epochs_;
  bool larger_;
  BestEpoch best_;
  EarlyStopping stopping_;
  std::string plateau_monitor_;  // empty: no plateau is looked for
  double plateau_factor_, rate_factor_ = 1;
  EarlyStopping plateau_;
};

}  // namespace penstock::stages
