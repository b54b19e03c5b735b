#include "stages/compute/step/device_gradients.h"

#include "distributed/check.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {

DeviceGradients::DeviceGradients(const FlatLayout& layout, const DeviceLayout& padded) {
  std::vector<size_t> slots;  // with the gaps behind them
  for (size_t i = 0; i < padded.parameters.size(); ++i) {
    const int64_t end = i + 1 < padded.parameters.size() ? padded.parameters[i + 1].offset : padded.parameter_count;
    slots.push_back(static_cast<size_t>(end - padded.parameters[i].offset));
  }
  buckets_ = gradient_buckets(slots, layout.statistic_count);
  for (const auto& slot : padded.parameters)
    bucket_of_.push_back(distributed::bucket_of(buckets_, static_cast<size_t>(slot.offset)));
  taken_.resize(buckets_.size());
  taken_for_.resize(buckets_.size());
}

void DeviceGradients::begin(const std::vector<torch::Tensor>& targets, bool add, std::function<void(size_t)> moved) {
  PENSTOCK_CHECK(targets.size() == bucket_of_.size(), "each parameter's gradient has its place");
  targets_ = &targets;
  add_ = add;
  moved_ = std::move(moved);
  missing_.assign(buckets_.size(), 0);
  for (const size_t bucket : bucket_of_) ++missing_[bucket];
  next_ = 0;
}

void DeviceGradients::take(size_t parameter, const torch::Tensor& gradient) {
  const size_t bucket = bucket_of_[parameter];
  PENSTOCK_CHECK(missing_[bucket] > 0, "backward brings each parameter's gradient once");
  taken_[bucket].push_back(gradient);
  taken_for_[bucket].push_back((*targets_)[parameter]);
  if (--missing_[bucket] > 0) return;
  while (next_ < buckets_.size() && missing_[next_] == 0) move(next_++);
}

// All gradients of a bucket into the vector at once.
void DeviceGradients::move(size_t bucket) {
  if (add_)
    at::_foreach_add_(taken_for_[bucket], taken_[bucket]);
  else
    at::_foreach_copy_(taken_for_[bucket], taken_[bucket]);
  taken_[bucket].clear();
  taken_for_[bucket].clear();
  moved_(bucket);
}

}  // namespace penstock::stages
