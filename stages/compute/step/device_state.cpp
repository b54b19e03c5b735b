#include "stages/compute/step/device_state.h"

#include <torch/csrc/autograd/variable.h>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

torch::Tensor to_tensor(const std::vector<float>& values) {
  return torch::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())});
}

}  // namespace

DeviceState::DeviceState(const FlatLayout& layout, StepDevice& device, int moments, bool bfloat16, bool averages)
    : layout_(layout),
      padded_(device_layout_of(layout)),
      device_(device),
      moments_(moments),
      bfloat16_(bfloat16),
      averages_(averages) {}

void DeviceState::make(Network& network) {
  const auto real = torch::dtype(torch::kFloat32).device(device_.place());
  const int64_t count = padded_.parameter_count;
  weights_ = torch::zeros({count}, real);
  first_ = torch::zeros({count}, real);
  if (moments_ > 1) second_ = torch::zeros({count}, real);
  if (bfloat16_) rounded_ = torch::zeros({count}, real.dtype(torch::kBFloat16));
  statistics_ = torch::zeros({layout_.statistic_count}, real);
  if (averages_) {
    averaged_ = torch::zeros({count}, real);
    averaged_statistics_ = torch::zeros({layout_.statistic_count}, real);
  }
  shard_statistics_ = torch::zeros({layout_.statistic_count}, real);
  vector_ = torch::zeros({count + layout_.statistic_count + figure_count}, real);

  auto named = network.named_parameters();
  PENSTOCK_CHECK(named.size() == layout_.parameters.size(), "the network is of the architecture of its layout");
  for (size_t i = 0; i < layout_.parameters.size(); ++i) {
    const auto& slot = layout_.parameters[i];
    const auto& [offset, elements, strides] = padded_.parameters[i];
    torch::Tensor parameter = named[slot.name];
    parameter.set_data(
        (bfloat16_ && !slot.keeps_float32 ? rounded_ : weights_).as_strided(slot.shape, strides, offset));
    gradient_views_.push_back(vector_.as_strided(slot.shape, strides, offset));
    accumulators_.push_back(torch::autograd::impl::grad_accumulator(parameter));
  }
  auto buffers = network.named_buffers();
  for (const auto& slot : layout_.statistics)
    buffers[slot.name].set_data(shard_statistics_.narrow(0, slot.offset, slot.count).view(slot.shape));
}

StepFigures* DeviceState::figures() {
  return reinterpret_cast<StepFigures*>(vector_at(padded_.parameter_count + layout_.statistic_count));
}

UpdateWork DeviceState::update_work() {
  UpdateWork work;
  work.gradient = vector_at(0);
  work.weights = weights_.data_ptr<float>();
  work.first = first_.data_ptr<float>();
  work.second = second_.defined() ? second_.data_ptr<float>() : nullptr;
  work.rounded = bfloat16_ ? reinterpret_cast<uint16_t*>(rounded_.data_ptr()) : nullptr;
  work.count = static_cast<size_t>(padded_.parameter_count);
  work.step_statistics = vector_at(padded_.parameter_count);
  work.statistics = statistics_.data_ptr<float>();
  work.statistic_count = static_cast<size_t>(layout_.statistic_count);
  work.statistics_momentum = statistics_momentum;
  if (averages_) {
    work.average = averaged_.data_ptr<float>();
    work.average_statistics = averaged_statistics_.data_ptr<float>();
  }
  return work;
}

void DeviceState::show_measured() {
  shard_statistics_.copy_(averages_ ? averaged_statistics_ : statistics_);
  if (!averages_) return;
  own_ = weights_.clone();
  weights_.copy_(averaged_);
  if (bfloat16_) rounded_.copy_(weights_);
}

void DeviceState::show_own() {
  if (!averages_) return;
  weights_.copy_(own_);
  if (bfloat16_) rounded_.copy_(weights_);
  own_ = torch::Tensor();
}

std::vector<float> DeviceState::fetch(const torch::Tensor& values) const {
  if (!values.defined()) return {};
  std::vector<float> fetched(static_cast<size_t>(values.numel()));
  device_.run([&] { to_tensor(fetched).copy_(values); });
  device_.wait("fetching from the device");
  return fetched;
}

Weights DeviceState::fetch_averaged() const {
  if (!averages_) return {};
  return {padded_.to_host(layout_, fetch(averaged_)), fetch(averaged_statistics_)};
}

Weights DeviceState::fetch_weights() const { return {padded_.to_host(layout_, fetch(weights_)), fetch(statistics_)}; }

StepState DeviceState::fetch(int64_t updates) const {
  StepState state{fetch_weights(), padded_.to_host(layout_, fetch(first_)), {}, updates, fetch_averaged()};
  if (second_.defined()) state.second = padded_.to_host(layout_, fetch(second_));
  return state;
}

void DeviceState::load_weights(const Weights& given) {
  check_state(layout_, given);
  const auto padded = padded_.to_device(layout_, given.parameters);
  device_.run([&] {
    weights_.copy_(to_tensor(padded));
    statistics_.copy_(to_tensor(given.statistics));
    if (bfloat16_) rounded_.copy_(weights_);
    if (!averages_) return;
    averaged_.copy_(weights_);
    averaged_statistics_.copy_(statistics_);
  });
  device_.wait("copying weights to the device");
}

void DeviceState::load(const StepState& state) {
  check_state(layout_, state, moments_, averages_);
  load_weights(state.weights);
  const auto first = padded_.to_device(layout_, state.first);
  const auto second = second_.defined() ? padded_.to_device(layout_, state.second) : std::vector<float>();
  const auto averaged = averages_ ? padded_.to_device(layout_, state.averaged.parameters) : std::vector<float>();
  device_.run([&] {
    first_.copy_(to_tensor(first));
    if (second_.defined()) second_.copy_(to_tensor(second));
    if (!averages_) return;
    averaged_.copy_(to_tensor(averaged));
    averaged_statistics_.copy_(to_tensor(state.averaged.statistics));
  });
  device_.wait("copying moments to the device");
}

}  // namespace penstock::stages
