// Where a DeviceStep's batches come from: the data set that lies on the device, the host's orders for a step (learning
// rate, rows), and the batch that the device gathers by them.
//
// One object per DeviceStep, called by its thread. What is marked "enqueues" is called within StepDevice::run.
#pragma once

#include <map>

#include "stages/compute/step/resident_samples.h"
#include "stages/compute/step/row_tables.h"
#include "stages/compute/step/step_device.h"

namespace penstock::stages {

class DeviceBatch {
 public:
  // `listed`: rows that the orders of a step list, one micro-shard's at least. `augmentation`: of these rows.
  DeviceBatch(const InputShape& input, const TargetList& targets, StepDevice& device, int64_t micro_batch,
              int64_t listed, const Augmentation& augmentation);

  // Within StepDevice::run: makes the buffers. `bfloat16`: of the images.
  void make(bool bfloat16);

  // The samples as they lie on the device; copied there at the first call with these.
  const ResidentSamples& resident(const StepSamples& data);

  // Host memory that copy_orders() reads: write only after StepDevice::wait().
  void set_orders(const StepOrders& orders);
  void list(int64_t place, const BatchRow& row, const StepSamples& data);

  void copy_orders();                                       // enqueues: host to device
  void gather(const ResidentSamples& data, int64_t first);  // enqueues: the rows listed at [first, + micro_batch)

  const StepOrders* orders() const;                                   // the device's
  const BatchRow* rows(int64_t first) const;                          // likewise
  const torch::Tensor& images() const { return images_; }             // [N,C,H,W], channels last in memory
  const torch::Tensor& targets() const { return targets_of_batch_; }  // [N,targets,H,W]

 private:
  size_t tables_begin() const { return sizeof(StepOrders) + static_cast<size_t>(listed_) * sizeof(BatchRow); }
  size_t row_tables() const { return table_values(input_.channels, tiles_); }  // values a row

  const InputShape input_;
  const TargetList targets_;
  StepDevice& device_;
  const int64_t micro_batch_, listed_;
  const bool changes_ = false, blurs_ = false, tiles_ = false;  // rows may be changed, blurred, have tables by tile
  bool bfloat16_ = false;
  std::map<const void*, ResidentSamples> resident_;
  uint8_t* host_orders_ = nullptr;  // exchange memory: StepOrders, rows, changed rows' tables
  torch::Tensor orders_, images_, targets_of_batch_, scratch_;
};

}  // namespace penstock::stages
