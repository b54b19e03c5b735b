// How a network's flat weights lie on a device: convolutions with channels last, and every parameter at a multiple of
// 128 bytes, so that views of the flat buffers are what the fast convolutions want.
#pragma once

#include <vector>

#include "stages/compute/model/flat_layout.h"

namespace penstock::stages {

struct DeviceLayout {
  struct Slot {
    int64_t offset = 0, count = 0;
    std::vector<int64_t> strides;
  };
  std::vector<Slot> parameters;  // in the order of FlatLayout's
  int64_t parameter_count = 0;   // with the gaps, which hold zeros

  // Between the order of FlatLayout (checkpoints, the host's step) and that of the device; both on the host.
  std::vector<float> to_device(const FlatLayout& layout, const std::vector<float>& flat) const;
  std::vector<float> to_host(const FlatLayout& layout, const std::vector<float>& padded) const;
};
DeviceLayout device_layout_of(const FlatLayout& layout);

}  // namespace penstock::stages
