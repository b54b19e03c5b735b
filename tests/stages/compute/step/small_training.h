// A training that takes a moment: samples of spots on a dark ground, and a network of a few weights.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "stages/compute/step/batches.h"
#include "stages/draws.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

inline constexpr int side = 16;
inline const InputShape grid{side, side, 3};

inline std::vector<GridSample> some_samples(int count) {
  std::vector<GridSample> samples;
  for (int i = 0; i < count; ++i) {
    GridSample sample;
    sample.id = "sample " + std::to_string(i);
    sample.width = sample.height = side;
    const Draws draws(i, "test sample");
    for (int p = 0; p < side * side; ++p) {
      sample.mask.push_back(draws.uniform(static_cast<uint64_t>(p) / 5) < 0.3);
      for (int c = 0; c < 3; ++c)
        sample.image.push_back(
            static_cast<uint8_t>(sample.mask.back() * 120 + draws.below(static_cast<uint64_t>(1000 + p * 3 + c), 60)));
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

// Pictures of their own sizes, with sides of up to `longest` pixels: a gradient of its own for each place and channel,
// and a mask that says where it is bright.
inline std::vector<GridSample> pictures(int count, int longest) {
  std::vector<GridSample> samples;
  for (int i = 0; i < count; ++i) {
    GridSample sample;
    sample.id = "picture " + std::to_string(i);
    const Draws draws(i, "test picture");
    sample.height = 5 + static_cast<int>(draws.below(0, static_cast<uint64_t>(longest - 4)));
    sample.width = 5 + static_cast<int>(draws.below(1, static_cast<uint64_t>(longest - 4)));
    for (int p = 0; p < sample.height * sample.width; ++p) {
      const int y = p / sample.width, x = p % sample.width;
      for (int c = 0; c < 3; ++c) sample.image.push_back(static_cast<uint8_t>(y * 5 + x * 3 + c * 40 + i));
      sample.mask.push_back(sample.image.back() > 128);
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

// Splits each mask into objects: blocks of four pixels' side are different ones.
inline void give_objects(std::vector<GridSample>& samples) {
  for (GridSample& sample : samples) {
    sample.objects.clear();
    for (size_t p = 0; p < sample.mask.size(); ++p) {
      const size_t y = p / static_cast<size_t>(sample.width), x = p % static_cast<size_t>(sample.width);
      sample.objects.push_back(sample.mask[p] == 0 ? 0 : static_cast<uint16_t>(1 + y / 4 * 20 + x / 4));
    }
  }
}

// How far b is from a, as a share of a's length.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference += std::pow(double{a[i]} - b[i], 2), length += std::pow(double{a[i]}, 2);
  return std::sqrt(difference / length);
}

inline TrainParameters tiny() {
  TrainParameters parameters;
  parameters.base_channels = 4;
  parameters.depth = 2;
  parameters.global_batch = 8;
  parameters.micro_batch = 2;
  parameters.seed = 5;
  return parameters;
}

}  // namespace penstock::stages
