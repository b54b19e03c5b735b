#include "stages/compute/step/batches.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"
#include "stages/draws.h"
#include "stages/training/device_arithmetic.h"

namespace penstock::stages {

std::vector<int> epoch_order(const std::vector<std::string>& ids, int64_t seed, int64_t epoch) {
  std::vector<std::pair<uint64_t, int>> keyed;
  for (size_t i = 0; i < ids.size(); ++i)
    keyed.emplace_back(Draws(seed, "order", {epoch}, ids[i]).bits(0), static_cast<int>(i));
  std::sort(keyed.begin(), keyed.end());
  std::vector<int> order;
  for (const auto& [key, index] : keyed) order.push_back(index);
  return order;
}

std::vector<int> micro_shard(const std::vector<int>& order, int64_t step, int64_t shard, int64_t global_batch,
                             int64_t micro_batch) {
  PENSTOCK_CHECK(
      !order.empty() && step >= 0 && shard >= 0 && micro_batch > 0 && (shard + 1) * micro_batch <= global_batch,
      fmt::format("a micro-shard lies within its step: shard {} of {} samples, of a step of {}", shard, micro_batch,
                  global_batch));
  std::vector<int> chosen;
  for (int64_t i = 0; i < micro_batch; ++i) {
    chosen.push_back(order[static_cast<size_t>(step * global_batch + shard * micro_batch + i) % order.size()]);
  }
  return chosen;
}

uint8_t to_byte(const Orientation& o) {
  return static_cast<uint8_t>((o.flip_x ? flip_x_bit : 0) | (o.flip_y ? flip_y_bit : 0) |
                              (o.transpose ? transpose_bit : 0));
}

Orientation draw_orientation(const Augmentation& augmentation, int64_t seed, int64_t epoch, const std::string& id,
                             int height, int width) {
  const Draws draws(seed, "augment", {epoch}, id);
  Orientation orientation;
  if (augmentation.flip) {
    orientation.flip_x = draws.bits(0) & 1;
    orientation.flip_y = draws.bits(1) & 1;
  }
  if (augmentation.rotate && height == width) {
    // A quarter turn is a transposition and a flip; a half turn is both flips.
    const uint64_t quarters = draws.below(2, 4);
    orientation.transpose = quarters & 1;
    orientation.flip_x ^= quarters == 1 || quarters == 2;
    orientation.flip_y ^= quarters == 2 || quarters == 3;
  }
  return orientation;
}

namespace {

void check_batch(const Batch& batch, size_t samples, size_t orientations, const ShardIndex& grid) {
  const auto fits = [&](const torch::Tensor& values, int64_t channels) {
    return values.dim() == 4 && values.size(0) >= static_cast<int64_t>(samples) && values.size(1) == channels &&
           values.size(2) == grid.height && values.size(3) == grid.width && values.is_contiguous() &&
           values.scalar_type() == torch::kFloat32 && values.is_cpu();
  };
  PENSTOCK_CHECK(fits(batch.images, grid.channels) && fits(batch.masks, 1),
                 "a batch is contiguous float32 on the CPU, of the grid's size, with a row for each sample");
  PENSTOCK_CHECK(orientations == 0 || orientations == samples, "each sample has its orientation, or none has");
}

}  // namespace

Batch make_batch(int64_t count, const ShardIndex& grid) {
  return {torch::empty({count, grid.channels, grid.height, grid.width}),
          torch::empty({count, 1, grid.height, grid.width})};
}

void fill_batch(Batch& batch, const std::vector<const GridSample*>& samples,
                const std::vector<Orientation>& orientations, const Normaliser& normaliser, const ShardIndex& grid) {
  const int height = grid.height, width = grid.width, channels = grid.channels;
  const size_t pixels = static_cast<size_t>(height) * width;
  check_batch(batch, samples.size(), orientations.size(), grid);
  std::vector<float> image(pixels * channels);
  for (size_t n = 0; n < samples.size(); ++n) {
    const Orientation orientation = orientations.empty() ? Orientation{} : orientations[n];
    PENSTOCK_CHECK(!orientation.transpose || height == width, "only a square sample is turned by a quarter");
    PENSTOCK_CHECK(
        samples[n]->image.size() == pixels * channels && samples[n]->mask.size() == pixels,
        fmt::format("sample '{}' has an image and a mask of {} x {} x {}, not {} and {} bytes", samples[n]->id, height,
                    width, channels, samples[n]->image.size(), samples[n]->mask.size()));
    const uint8_t turned = to_byte(orientation);
    normaliser.apply(samples[n]->image, channels, image.data());
    float* images = batch.images.data_ptr<float>() + n * pixels * channels;
    float* masks = batch.masks.data_ptr<float>() + n * pixels;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const size_t to = static_cast<size_t>(y) * width + x, from = source_pixel(y, x, height, width, turned);
        for (int c = 0; c < channels; ++c) images[c * pixels + to] = image[c * pixels + from];
        masks[to] = samples[n]->mask[from] != 0 ? 1.0f : 0.0f;
      }
    }
  }
}

}  // namespace penstock::stages
