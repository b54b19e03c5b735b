// Tells the cache of a training's samples in which order this rank will need them: the rest of the epoch, validation,
// the next epoch. It follows from the orders of the epochs alone, so it is known before the first step. Where all
// samples stay in memory there is nothing to tell.
//
// One object per training and rank, called by the training loop.
#pragma once

#include <vector>

#include "stages/compute/data/sample_cache.h"
#include "stages/compute/step/step_samples.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

class ReadAhead {
 public:
  // Of this rank; `cache` may be null. It numbers the samples as they are numbered themselves (GridSample::number).
  ReadAhead(const TrainParameters& parameters, const std::vector<GridSample>& train,
            const std::vector<GridSample>& validation, const InputShape& input, std::pair<int, int> rank_of_ranks,
            SampleCache* cache = nullptr);

  // The samples that this rank will ask for, by their numbers: in the steps from `step` of an epoch on, in validation
  // and in the next epoch. `order`: of the epoch's crops (batches.h); `next`: likewise, empty where none follows.
  std::vector<int> calls_from(int64_t step, const std::vector<int>& order, const std::vector<int>& next) const;
  int64_t steps() const { return steps_; }  // of an epoch

  // Without a cache what follows does nothing.
  bool is_active() const { return cache_ != nullptr; }
  void begin_epoch(int64_t step, const std::vector<int>& order, const std::vector<int>& next);
  void before_step(int64_t step);  // of the epoch
  void before_validation();

  // Seconds that a thread of this rank stood still for want of pixels, the mean over its threads; since the last call.
  double take_wait(int threads);

 private:
  void add_steps(std::vector<int>& calls, int64_t from, const std::vector<int>& order) const;

  SampleCache* const cache_;
  const int64_t global_batch_, micro_batch_;
  std::pair<int, int> mine_;         // micro-shards
  std::vector<int> sample_of_crop_;  // numbers
  std::vector<int> validation_;      // numbers, in the order of this rank's pass
  int64_t first_step_ = 0, steps_ = 0;
  double waited_ = 0;  // seconds, at the last call of take_wait()
};

}  // namespace penstock::stages
