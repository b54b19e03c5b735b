#include "stages/compute/training/read_ahead.h"

#include <algorithm>
#include <utility>

#include "distributed/reducer/gradient_reducer.h"
#include "stages/compute/step/batches.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {

ReadAhead::ReadAhead(const TrainParameters& parameters, const std::vector<GridSample>& train,
                     const std::vector<GridSample>& validation, const InputShape& input,
                     std::pair<int, int> rank_of_ranks, SampleCache* cache)
    : cache_(cache), global_batch_(parameters.global_batch), micro_batch_(parameters.micro_batch) {
  const auto [rank, ranks] = rank_of_ranks;
  mine_ = distributed::micro_shards_of(rank, ranks, static_cast<int>(parameters.micro_shards()));
  for (const Crop& crop : crops_of(train, input))
    sample_of_crop_.push_back(train[static_cast<size_t>(crop.sample)].number);
  steps_ = steps_per_epoch(static_cast<int64_t>(sample_of_crop_.size()), global_batch_);
  // As validation_figures() shares out the tiles; a batch asks once for a sample of which it has several.
  const auto tiles = numbered_tiles_of(validation, input);
  const auto batches = static_cast<int>((static_cast<int64_t>(tiles.size()) + micro_batch_ - 1) / micro_batch_);
  const auto [first, last] = distributed::micro_shards_of(rank, ranks, batches);
  for (size_t at = static_cast<size_t>(first * micro_batch_);
       at < std::min(tiles.size(), static_cast<size_t>(last * micro_batch_)); ++at) {
    const bool begins = at % static_cast<size_t>(micro_batch_) == 0;
    if (begins || tiles[at].sample != tiles[at - 1].sample)
      validation_.push_back(validation[static_cast<size_t>(tiles[at].sample)].number);
  }
}

void ReadAhead::add_steps(std::vector<int>& calls, int64_t from, const std::vector<int>& order) const {
  for (int64_t step = from; step < steps_; ++step) {
    for (int shard = mine_.first; shard < mine_.second; ++shard) {
      for (const int crop : micro_shard(order, step, shard, global_batch_, micro_batch_))
        calls.push_back(sample_of_crop_[static_cast<size_t>(crop)]);
    }
  }
}

std::vector<int> ReadAhead::calls_from(int64_t step, const std::vector<int>& order,
                                       const std::vector<int>& next) const {
  std::vector<int> calls;
  add_steps(calls, step, order);
  calls.insert(calls.end(), validation_.begin(), validation_.end());
  if (!next.empty()) add_steps(calls, 0, next);
  return calls;
}

void ReadAhead::begin_epoch(int64_t step, const std::vector<int>& order, const std::vector<int>& next) {
  if (cache_ == nullptr) return;
  first_step_ = step;
  cache_->expect(calls_from(step, order, next));
}

void ReadAhead::before_step(int64_t step) {
  if (cache_ == nullptr) return;
  cache_->passed(static_cast<size_t>((step - first_step_) * (mine_.second - mine_.first) * micro_batch_));
}

void ReadAhead::before_validation() { before_step(steps_); }

double ReadAhead::take_wait(int threads) {
  if (cache_ == nullptr) return 0;
  const double all = cache_->figures().waited_seconds;
  return (all - std::exchange(waited_, all)) / threads;
}

}  // namespace penstock::stages
