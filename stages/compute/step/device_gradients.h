// The gradients of one backward on a device: taken as they come, and moved into the step's vector bucket by bucket, in
// the same order on all ranks whatever order backward finds.
//
// take() is called by backward's threads, one at a time; the rest by the step's thread while no backward runs.
#pragma once

#include <functional>
#include <vector>

#include "distributed/reducer/bucket_layout.h"
#include "stages/compute/step/device_layout.h"
#include "stages/compute/step/training_step.h"

namespace penstock::stages {

class DeviceGradients {
 public:
  DeviceGradients(const FlatLayout& layout, const DeviceLayout& padded);

  const std::vector<distributed::Bucket>& buckets() const { return buckets_; }

  // Opens a backward. `targets`: where each parameter's gradient goes; `add`: to what is there. `moved(bucket)` is
  // called when a bucket is in its place.
  void begin(const std::vector<torch::Tensor>& targets, bool add, std::function<void(size_t bucket)> moved);
  // Backward has brought the gradient of this parameter.
  void take(size_t parameter, const torch::Tensor& gradient);

 private:
  void move(size_t bucket);

  std::vector<distributed::Bucket> buckets_;
  std::vector<size_t> bucket_of_;  // each parameter's
  // Of the backward that is running.
  const std::vector<torch::Tensor>* targets_ = nullptr;
  bool add_ = false;
  std::function<void(size_t)> moved_;
  std::vector<size_t> missing_;                                // of each bucket
  std::vector<std::vector<torch::Tensor>> taken_, taken_for_;  // of each bucket: gradients, and their targets
  size_t next_ = 0;                                            // bucket to move
};

}  // namespace penstock::stages
