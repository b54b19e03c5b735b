#include "stages/compute/step/resident_samples.h"

#include <algorithm>
#include <cstring>

#include "distributed/check.h"
#include "stages/training/normalisations.h"

namespace penstock::stages {

ResidentSamples put_on_device(const std::vector<GridSample>& samples, const ShardIndex& grid,
                              const Normaliser& normaliser, StepDevice& device) {
  const int64_t count = static_cast<int64_t>(samples.size()), height = grid.height, width = grid.width,
                channels = grid.channels;
  const NormalisationRule& rule = normalisation_rule(normaliser.kind);
  const bool each = rule.by_image, by_channel = rule.by_channel;
  ResidentSamples data;
  data.sample_stride = each ? 256 : 0;
  data.channel_stride = by_channel ? 256 : 0;
  const int64_t tables = each ? count : by_channel ? channels : 1;
  auto images = torch::empty({count, height, width, channels}, torch::kUInt8),
       masks = torch::empty({count, height, width}, torch::kUInt8), values = torch::empty({tables, 256});
  for (int64_t i = 0; i < count; ++i) {
    PENSTOCK_CHECK(static_cast<int64_t>(samples[i].image.size()) == height * width * channels &&
                       static_cast<int64_t>(samples[i].mask.size()) == height * width,
                   "sample '" + samples[i].id + "' has an image and a mask of the grid's size");
    std::memcpy(images.data_ptr<uint8_t>() + i * height * width * channels, samples[i].image.data(),
                samples[i].image.size());
    std::memcpy(masks.data_ptr<uint8_t>() + i * height * width, samples[i].mask.data(), samples[i].mask.size());
  }
  for (int64_t i = 0; i < tables; ++i) {
    const auto table =
        normaliser.table(normaliser.range_of(samples[each ? i : 0].image), each ? 0 : static_cast<int>(i));
    std::copy(table.begin(), table.end(), values.data_ptr<float>() + i * 256);
  }
  device.run([&] {
    data.images = images.to(device.place());
    data.masks = masks.to(device.place());
    data.tables = values.to(device.place());
  });
  device.wait("copying samples to the device");
  return data;
}

}  // namespace penstock::stages
