#include "stages/compute/step/device_batch.h"

#include <fmt/format.h>

#include <cstring>

#include "distributed/check.h"

namespace penstock::stages {

DeviceBatch::DeviceBatch(const ShardIndex& grid, const Normaliser& normaliser, StepDevice& device, int64_t micro_batch,
                         int64_t listed)
    : grid_(grid), normaliser_(normaliser), device_(device), micro_batch_(micro_batch), listed_(listed) {
  PENSTOCK_CHECK(micro_batch > 0 && listed >= micro_batch && listed % micro_batch == 0,
                 "a step's orders list whole micro-shards");
}

void DeviceBatch::make(bool bfloat16) {
  bfloat16_ = bfloat16;
  const auto real = torch::dtype(torch::kFloat32).device(device_.place());
  images_ = torch::zeros({micro_batch_, grid_.height, grid_.width, grid_.channels},
                         real.dtype(bfloat16 ? torch::kBFloat16 : torch::kFloat32))
                .permute({0, 3, 1, 2});
  masks_ = torch::zeros({micro_batch_, 1, grid_.height, grid_.width}, real);
  const size_t bytes = orientations_at() + static_cast<size_t>(listed_);
  orders_ = torch::zeros({static_cast<int64_t>(bytes)}, torch::dtype(torch::kUInt8).device(device_.place()));
  host_orders_ = static_cast<uint8_t*>(device_.exchange_memory(bytes));
}

const ResidentSamples& DeviceBatch::resident(const std::vector<GridSample>& samples) {
  auto found = resident_.find(&samples);
  if (found == resident_.end())
    found = resident_.emplace(&samples, put_on_device(samples, grid_, normaliser_, device_)).first;
  PENSTOCK_CHECK(found->second.images.size(0) == static_cast<int64_t>(samples.size()),
                 "samples that were copied to the device stay as they are");
  return found->second;
}

void DeviceBatch::set_orders(const StepOrders& orders) { std::memcpy(host_orders_, &orders, sizeof orders); }

void DeviceBatch::list(int64_t place, int32_t sample, uint8_t orientation) {
  PENSTOCK_CHECK(place >= 0 && place < listed_ && sample >= 0,
                 fmt::format("orders list {} samples: there is no place {} for sample {}", listed_, place, sample));
  std::memcpy(host_orders_ + samples_at() + static_cast<size_t>(place) * sizeof sample, &sample, sizeof sample);
  host_orders_[orientations_at() + static_cast<size_t>(place)] = orientation;
}

void DeviceBatch::copy_orders() {
  device_.copy_in(orders_.data_ptr(), host_orders_, static_cast<size_t>(orders_.numel()));
}

void DeviceBatch::gather(const ResidentSamples& data, int64_t first) {
  PENSTOCK_CHECK(first >= 0 && first + micro_batch_ <= listed_, "a batch is gathered from listed samples");
  const uint8_t* bytes = orders_.data_ptr<uint8_t>();
  GatherWork work;
  work.images = data.images.data_ptr<uint8_t>();
  work.masks = data.masks.data_ptr<uint8_t>();
  work.tables = data.tables.data_ptr<float>();
  work.sample_stride = data.sample_stride;
  work.channel_stride = data.channel_stride;
  work.samples = reinterpret_cast<const int32_t*>(bytes + samples_at()) + first;
  work.orientations = bytes + orientations_at() + first;
  work.count = static_cast<int>(micro_batch_);
  work.height = grid_.height, work.width = grid_.width, work.channels = grid_.channels;
  work.batch_images = images_.data_ptr();
  work.batch_masks = masks_.data_ptr<float>();
  work.bfloat16 = bfloat16_;
  device_.gather(work);
}

const StepOrders* DeviceBatch::orders() const {
  return reinterpret_cast<const StepOrders*>(orders_.data_ptr<uint8_t>());
}

}  // namespace penstock::stages
