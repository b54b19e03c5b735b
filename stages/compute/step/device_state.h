// What a training keeps on a device from step to step, as flat buffers: float32 master weights, moments and running
// statistics, and the vector that a step sums up. The network's tensors are views of them.
//
// One object per DeviceStep, called by its thread. Pointers and tensors are the device's; what they hold is safe to
// read on the host through the functions that return vectors, which wait.
#pragma once

#include <memory>
#include <vector>

#include "stages/compute/step/device_layout.h"
#include "stages/compute/step/step_device.h"
#include "stages/compute/step/training_step.h"

namespace penstock::stages {

class DeviceState {
 public:
  // `bfloat16`: the network works on rounded copies of the weights, but for those that keep float32 (FlatLayout).
  // `averages`: an average of weights and running statistics is kept (train.ema).
  DeviceState(const FlatLayout& layout, StepDevice& device, int moments, bool bfloat16, bool averages);

  // Within StepDevice::run: makes the buffers, and the network's parameters and statistics views of them.
  void make(Network& network);

  const DeviceLayout& padded() const { return padded_; }
  // Of the vector: where each parameter's gradient goes, in the order of FlatLayout.
  const std::vector<torch::Tensor>& gradient_views() const { return gradient_views_; }
  torch::Tensor& vector() { return vector_; }  // gradient, statistics, figures: summed over micro-shards, then ranks
  torch::Tensor tail() { return vector_.narrow(0, padded_.parameter_count, layout_.statistic_count + figure_count); }
  float* vector_at(int64_t offset) { return vector_.data_ptr<float>() + offset; }
  StepFigures* figures();
  // Within StepDevice::run: the network works with the averaged weights and statistics, where there are any, until
  // show_own().
  void show_measured();
  void show_own();
  // Of the micro-shard that is worked on: the network's own buffers.
  torch::Tensor& shard_statistics() { return shard_statistics_; }
  // The optimiser's work on these buffers, but for orders and verdict.
  UpdateWork update_work();

  // Wait for the device.
  std::vector<float> fetch_vector() const { return fetch(vector_); }
  Weights fetch_weights() const;
  Weights fetch_averaged() const;  // empty where none are kept
  StepState fetch(int64_t updates) const;
  void load_weights(const Weights& weights);
  void load(const StepState& state);

 private:
  std::vector<float> fetch(const torch::Tensor& values) const;

  const FlatLayout& layout_;
  const DeviceLayout padded_;
  StepDevice& device_;
  const int moments_;
  const bool bfloat16_, averages_;
  torch::Tensor weights_, rounded_, first_, second_;  // flat, as DeviceLayout states
  torch::Tensor statistics_, shard_statistics_, vector_;
  torch::Tensor averaged_, averaged_statistics_;  // undefined where no average is kept
  torch::Tensor own_;                             // the weights, while the averaged ones are in their place
  std::vector<torch::Tensor> gradient_views_;
  std::vector<std::shared_ptr<void>> accumulators_;  // made in the device's own order of work, and kept there
};

}  // namespace penstock::stages
