// Connected components, against a flood fill in the order of the pixels.
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/compute/scores/instances.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

constexpr int width = 61, height = 47;

std::vector<float> drawn(int64_t seed, double share) {
  const Draws draws(seed, "component test");
  std::vector<float> probability(width * height);
  for (size_t i = 0; i < probability.size(); ++i) probability[i] = draws.uniform(i) < share ? 0.9f : 0.1f;
  return probability;
}

void fill(const std::vector<float>& probability, int connectivity, int x, int y, uint16_t number, LabelMap& map) {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const size_t i = static_cast<size_t>(y) * width + x;
  if (!(probability[i] > 0.5f) || map.labels[i] != 0) return;
  map.labels[i] = number;
  for (int dy = -1; dy <= 1; ++dy) {
    for (int dx = -1; dx <= 1; ++dx) {
      if (dx == 0 || dy == 0 || connectivity == 8) fill(probability, connectivity, x + dx, y + dy, number, map);
    }
  }
}

TEST(Components, AreNumberedInTheOrderOfTheirFirstPixels) {
  for (const int connectivity : {4, 8}) {
    for (const double share : {0.05, 0.3, 0.45, 0.6, 0.95}) {
      const auto probability = drawn(static_cast<int64_t>(share * 100), share);
      LabelMap expected{height, width, std::vector<uint16_t>(probability.size())};
      uint16_t number = 0;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const size_t i = static_cast<size_t>(y) * width + x;
          if (probability[i] > 0.5f && expected.labels[i] == 0)
            fill(probability, connectivity, x, y, ++number, expected);
        }
      }
      EXPECT_EQ(components(probability, width, height, 0.5, {connectivity, 0}).labels, expected.labels)
          << connectivity << " neighbours, " << share;
    }
  }
}

TEST(Components, SmallOnesLeaveNoGapInTheNumbers) {
  std::vector<float> probability(9, 0.0f);  // 3 x 3: one pixel, then two
  probability[0] = probability[5] = probability[8] = 1;
  EXPECT_EQ(components(probability, 3, 3, 0.5, {4, 2}).labels, (std::vector<uint16_t>{0, 0, 0, 0, 0, 1, 0, 0, 1}));
}

TEST(Components, OfAnotherSizeFailACheck) {
  EXPECT_THROW(components(std::vector<float>(8), 3, 3, 0.5, {}), Error);
  EXPECT_THROW(components(std::vector<float>(9), 3, 3, 0.5, {6, 0}), Error);
}

}  // namespace
}  // namespace penstock::stages
