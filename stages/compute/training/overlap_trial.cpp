#include "stages/compute/training/overlap_trial.h"

#include <spdlog/spdlog.h>

#include "stages/compute/training/median.h"

namespace penstock::stages {

OverlapTrial::OverlapTrial(const std::string& wish, TrainingStep& step, distributed::Communicator& ranks)
    : step_(step), ranks_(ranks), active_(wish == "auto" && step.may_choose_overlap() && ranks.size() > 1) {}

void OverlapTrial::before_step() {
  if (!active_) return;
  if (begun_ == 2 * tries) return decide();
  step_.set_overlap(begun_ % 2 == 1);
  ++begun_;
}

void OverlapTrial::record(double seconds) {
  if (active_ && begun_ > 0) seconds_[(begun_ - 1) % 2].push_back(seconds);
}

void OverlapTrial::decide() {
  uint8_t faster = median_of(seconds_[1]) < median_of(seconds_[0]);
  ranks_.broadcast(distributed::buffer_of(&faster, 1), 0, "whether overlap is faster");
  step_.set_overlap(faster != 0);
  active_ = false;
  spdlog::debug("train.overlap = \"auto\": gradients are reduced {} backward", faster ? "during" : "after");
}

}  // namespace penstock::stages
