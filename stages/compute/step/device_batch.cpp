#include "stages/compute/step/device_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

bool draws(const Augmentation& augmentation, const char* name) {
  return std::any_of(augmentation.others.begin(), augmentation.others.end(),
                     [name](const auto& one) { return one.name == name; });
}

}  // namespace

DeviceBatch::DeviceBatch(const InputShape& input, const TargetList& targets, StepDevice& device, int64_t micro_batch,
                         int64_t listed, const Augmentation& augmentation)
    : input_(input),
      targets_(targets),
      device_(device),
      micro_batch_(micro_batch),
      listed_(listed),
      changes_(!augmentation.others.empty()),
      blurs_(draws(augmentation, "blur")),
      tiles_(draws(augmentation, "clahe")) {
  static_assert(sizeof(StepOrders) % alignof(BatchRow) == 0, "the list of rows follows the orders");
  PENSTOCK_CHECK(micro_batch > 0 && listed >= micro_batch && listed % micro_batch == 0,
                 "a step's orders list whole micro-shards");
}

void DeviceBatch::make(bool bfloat16) {
  bfloat16_ = bfloat16;
  const auto real = torch::dtype(torch::kFloat32).device(device_.place());
  images_ = torch::zeros({micro_batch_, input_.height, input_.width, input_.channels},
                         real.dtype(bfloat16 ? torch::kBFloat16 : torch::kFloat32))
                .permute({0, 3, 1, 2});
  targets_of_batch_ = torch::zeros({micro_batch_, targets_.count, input_.height, input_.width}, real);
  if (blurs_) scratch_ = torch::zeros({2, micro_batch_, input_.height, input_.width, input_.channels}, real);
  const size_t bytes = tables_begin() + (changes_ ? static_cast<size_t>(listed_) * row_tables() * sizeof(float) : 0);
  orders_ = torch::zeros({static_cast<int64_t>(bytes)}, torch::dtype(torch::kUInt8).device(device_.place()));
  host_orders_ = static_cast<uint8_t*>(device_.exchange_memory(bytes));
}

const ResidentSamples& DeviceBatch::resident(const StepSamples& data) {
  auto found = resident_.find(&data);
  if (found == resident_.end()) found = resident_.emplace(&data, put_on_device(data, device_)).first;
  return found->second;
}

void DeviceBatch::set_orders(const StepOrders& orders) { std::memcpy(host_orders_, &orders, sizeof orders); }

void DeviceBatch::list(int64_t place, const BatchRow& row, const StepSamples& data) {
  PENSTOCK_CHECK(place >= 0 && place < listed_ && row.sample >= 0,
                 fmt::format("orders list {} rows: there is no place {} for sample {}", listed_, place, row.sample));
  std::memcpy(host_orders_ + sizeof(StepOrders) + static_cast<size_t>(place) * sizeof row, &row, sizeof row);
  if (row.change.active == 0) return;
  PENSTOCK_CHECK(changes_ && (blurs_ || row.change.blurs == 0) && (tiles_ || row.change.clip == 0),
                 "rows change as the batch was made for");
  const RowTables tables = tables_of(row, data, data.look(row.sample));
  std::memcpy(host_orders_ + tables_begin() + static_cast<size_t>(place) * row_tables() * sizeof(float), tables.data(),
              tables.size() * sizeof(float));
}

void DeviceBatch::copy_orders() {
  device_.copy_in(orders_.data_ptr(), host_orders_, static_cast<size_t>(orders_.numel()));
}

void DeviceBatch::gather(const ResidentSamples& data, int64_t first) {
  PENSTOCK_CHECK(first >= 0 && first + micro_batch_ <= listed_, "a batch is gathered from listed rows");
  GatherWork work;
  work.images = data.images.data_ptr<uint8_t>();
  work.objects = reinterpret_cast<const uint16_t*>(data.objects.data_ptr<int16_t>());
  work.places = reinterpret_cast<const SamplePlace*>(data.places.data_ptr<uint8_t>());
  work.tables = data.tables.data_ptr<float>();
  work.wide = input_.bits == 16;
  work.sample_stride = data.sample_stride;
  work.channel_stride = data.channel_stride;
  work.rows = rows(first);
  work.count = static_cast<int>(micro_batch_);
  work.height = input_.height, work.width = input_.width, work.channels = input_.channels;
  work.batch_images = images_.data_ptr();
  work.targets = targets_;
  work.batch_targets = targets_of_batch_.data_ptr<float>();
  work.bfloat16 = bfloat16_;
  if (changes_) {
    work.row_tables = reinterpret_cast<const float*>(orders_.data_ptr<uint8_t>() + tables_begin()) +
                      static_cast<size_t>(first) * row_tables();
    work.row_stride = static_cast<int64_t>(row_tables());
  }
  if (blurs_) work.scratch = scratch_.data_ptr<float>();
  device_.gather(work);
}

const BatchRow* DeviceBatch::rows(int64_t first) const {
  return reinterpret_cast<const BatchRow*>(orders_.data_ptr<uint8_t>() + sizeof(StepOrders)) + first;
}

const StepOrders* DeviceBatch::orders() const {
  return reinterpret_cast<const StepOrders*>(orders_.data_ptr<uint8_t>());
}

}  // namespace penstock::stages
