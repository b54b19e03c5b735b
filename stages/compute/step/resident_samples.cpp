#include "stages/compute/step/resident_samples.h"

#include <algorithm>
#include <cstring>

#include "stages/training/normalisations.h"

namespace penstock::stages {

namespace {

torch::Tensor bytes_of(int64_t count) { return torch::empty({count}, torch::kUInt8); }

}  // namespace

ResidentSamples put_on_device(const StepSamples& data, StepDevice& device) {
  const auto& samples = data.samples();
  const int64_t count = static_cast<int64_t>(samples.size()),
                pixel_bytes = data.input().channels * data.input().bits / 8;
  const NormalisationRule& rule = normalisation_rule(data.normaliser().kind);
  const bool each = rule.by_image, by_channel = rule.by_channel;
  ResidentSamples resident;
  resident.sample_stride = each ? 256 : 0;
  resident.channel_stride = by_channel ? 256 : 0;
  int64_t pixels = 0;
  std::vector<SamplePlace> places;
  for (const GridSample& sample : samples) {
    places.push_back({pixels, sample.height, sample.width});
    pixels += int64_t{sample.height} * sample.width;
  }
  const int64_t tables = each ? count : by_channel ? data.input().channels : 1;
  auto images = bytes_of(pixels * pixel_bytes), objects = torch::empty({pixels}, torch::kInt16),
       where = bytes_of(count * static_cast<int64_t>(sizeof(SamplePlace))), values = torch::empty({tables, 256});
  for (int64_t i = 0; i < count; ++i) {
    const SamplePixels own = samples[static_cast<size_t>(i)].pixels();
    std::memcpy(images.data_ptr<uint8_t>() + places[i].begin * pixel_bytes, own.image.data(), own.image.size());
    for (int64_t p = 0; p < int64_t{places[i].height} * places[i].width; ++p)
      objects.data_ptr<int16_t>()[places[i].begin + p] = static_cast<int16_t>(own.object_at(static_cast<size_t>(p)));
  }
  if (count > 0) std::memcpy(where.data_ptr<uint8_t>(), places.data(), places.size() * sizeof(SamplePlace));
  for (int64_t i = 0; i < tables; ++i) {
    const auto table =
        data.normaliser().table(data.range_of(static_cast<int>(each ? i : 0)), each ? 0 : static_cast<int>(i));
    std::copy(table.begin(), table.end(), values.data_ptr<float>() + i * 256);
  }
  device.run([&] {
    resident.images = images.to(device.place());
    resident.objects = objects.to(device.place());
    resident.places = where.to(device.place());
    resident.tables = values.to(device.place());
  });
  device.wait("copying samples to the device");
  return resident;
}

}  // namespace penstock::stages
