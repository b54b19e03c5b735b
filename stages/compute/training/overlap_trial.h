// train.overlap = "auto": finds out on the first steps whether reducing gradients while backward continues is faster.
// Steps alternate without and with overlap; the medians decide. The bits are the same either way.
//
// One object per training and rank, called by the training loop around each step.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "stages/compute/step/training_step.h"

namespace penstock::stages {

class OverlapTrial {
 public:
  static constexpr size_t tries = 5;  // steps with overlap, and as many without

  // Active when `wish` (train.overlap) is "auto", there are several ranks and the step may choose; else it does
  // nothing.
  OverlapTrial(const std::string& wish, TrainingStep& step, distributed::Communicator& ranks);

  // Collective. Before each step: sets how it reduces gradients.
  void before_step();
  // After a step that counted: how long it took on this rank.
  void record(double seconds);
  bool is_active() const { return active_; }

 private:
  void decide();

  TrainingStep& step_;
  distributed::Communicator& ranks_;
  bool active_;
  size_t begun_ = 0;                            // steps
  std::array<std::vector<double>, 2> seconds_;  // of steps without, and with
};

}  // namespace penstock::stages
