// The figures of an epoch: summed over its steps, and as the rows that curves, rules and sweeps read. Pure.
#pragma once

#include <string>

#include "pipeline/value.h"
#include "stages/arithmetic/figures.h"

namespace penstock::stages {

// Running sums of an epoch that is under way; a checkpoint carries them.
struct EpochSums {
  Figures figures;
  double steps = 0;  // those that were not left out

  EpochSums& operator+=(const Figures& step);
  Figures mean() const;  // zeros where no step counted
};
pipeline::Value to_json(const EpochSums& sums);
EpochSums epoch_sums_from_json(const pipeline::Value& json);

// {"loss", "accuracy", "precision", "recall", "f1"}; a ratio of nothing to nothing is 1.
pipeline::Value row_of(const Figures& figures);
// The means over an epoch's steps; nulls where each was left out.
pipeline::Value row_of(const EpochSums& sums);

// Of a row {"train", "validation"}: "loss 0.5012, validation loss 0.6120, F1 0.7011"; of the train subset where there
// is no validation.
std::string text_of_epoch(const pipeline::Value& row);

}  // namespace penstock::stages
