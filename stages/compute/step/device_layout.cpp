#include "stages/compute/step/device_layout.h"

namespace penstock::stages {
namespace {

constexpr int64_t alignment = 64;  // elements: 128 bytes of bfloat16

// Calls move(place in FlatLayout's order, place in the device's) for each element.
template <typename Move>
void for_each_element(const FlatLayout& layout, const DeviceLayout& device, Move&& move) {
  for (size_t index = 0; index < layout.parameters.size(); ++index) {
    const auto& from = layout.parameters[index];
    const auto& to = device.parameters[index];
    if (from.shape.size() != 4) {
      for (int64_t i = 0; i < from.count; ++i) move(from.offset + i, to.offset + i);
      continue;
    }
    int64_t place = from.offset;
    for (int64_t o = 0; o < from.shape[0]; ++o) {
      for (int64_t i = 0; i < from.shape[1]; ++i) {
        for (int64_t y = 0; y < from.shape[2]; ++y) {
          for (int64_t x = 0; x < from.shape[3]; ++x)
            move(place++, to.offset + o * to.strides[0] + i * to.strides[1] + y * to.strides[2] + x * to.strides[3]);
        }
      }
    }
  }
}

}  // namespace

DeviceLayout device_layout_of(const FlatLayout& layout) {
  DeviceLayout device;
  for (const auto& slot : layout.parameters) {
    const auto& s = slot.shape;
    std::vector<int64_t> strides(s.size(), 1);
    if (s.size() == 4) strides = {s[1] * s[2] * s[3], 1, s[3] * s[1], s[1]};
    device.parameters.push_back({device.parameter_count, slot.count, strides});
    device.parameter_count += (slot.count + alignment - 1) / alignment * alignment;
  }
  return device;
}

std::vector<float> DeviceLayout::to_device(const FlatLayout& layout, const std::vector<float>& flat) const {
  std::vector<float> padded(static_cast<size_t>(parameter_count));
  for_each_element(layout, *this, [&](int64_t from, int64_t to) { padded[to] = flat[from]; });
  return padded;
}

std::vector<float> DeviceLayout::to_host(const FlatLayout& layout, const std::vector<float>& padded) const {
  std::vector<float> flat(static_cast<size_t>(layout.parameter_count));
  for_each_element(layout, *this, [&](int64_t to, int64_t from) { flat[to] = padded[from]; });
  return flat;
}

}  // namespace penstock::stages
