// Heights from slopes.
#include "stages/compute/scores/surface.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

// The directions of round hills: a slope of 1 at the edge of each disc, falling to 0 in its middle.
struct Disc {
  int x, y, radius;
};
struct Picture {
  PixelMaps maps;
  std::vector<uint8_t> region;

  float height_at(const std::vector<float>& heights, int x, int y) const {
    return heights[static_cast<size_t>(y * maps.width + x)];
  }
};
Picture picture_of(int width, int height, const std::vector<Disc>& discs) {
  Picture picture{{width, height, {"mask", "horizontal", "vertical"}, {}}, {}};
  const size_t pixels = picture.maps.pixels();
  picture.maps.values.assign(3 * pixels, 0.5f);
  picture.region.assign(pixels, 0);
  for (const Disc& disc : discs) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const int dx = x - disc.x, dy = y - disc.y;
        if (dx * dx + dy * dy > disc.radius * disc.radius) continue;
        const auto i = static_cast<size_t>(y * width + x);
        picture.region[i] = 1;
        picture.maps.values[i] = 1;
        const float reach = 2 * (static_cast<float>(disc.radius) + 0.5f);
        picture.maps.values[pixels + i] = 0.5f + static_cast<float>(dx) / reach;
        picture.maps.values[2 * pixels + i] = 0.5f + static_cast<float>(dy) / reach;
      }
    }
  }
  return picture;
}

TEST(Surface, OfAnObjectIsAHillHalfAsHighAsItsRadius) {
  for (const int radius : {3, 10, 30}) {
    const Picture picture = picture_of(80, 80, {{40, 40, radius}});
    const auto heights = surface_of(picture.maps, picture.region);
    const auto top = std::max_element(heights.begin(), heights.end()) - heights.begin();
    EXPECT_EQ(top, 40 * 80 + 40) << radius;
    EXPECT_NEAR(heights[static_cast<size_t>(top)], 0.5 * radius, 0.5) << radius;
    EXPECT_NEAR(picture.height_at(heights, 40 + radius, 40), 0.5, 0.6) << radius;
    EXPECT_EQ(picture.height_at(heights, 0, 0), 0) << "outside of the region";
  }
}

// As surface.cpp says of its sweeps.
TEST(Surface, OfALargeObjectIsATenthTooLow) {
  const Picture picture = picture_of(120, 120, {{60, 60, 50}});
  const auto heights = surface_of(picture.maps, picture.region);
  EXPECT_NEAR(*std::max_element(heights.begin(), heights.end()), 0.9 * 25.25, 1.3);
}

TEST(Surface, HasAValleyWhereTwoObjectsTouch) {
  const Picture picture = picture_of(60, 30, {{18, 15, 10}, {39, 15, 10}});
  const auto heights = surface_of(picture.maps, picture.region);
  EXPECT_GT(picture.height_at(heights, 18, 15), 3 * picture.height_at(heights, 28, 15));
  EXPECT_GT(picture.height_at(heights, 39, 15), 3 * picture.height_at(heights, 29, 15));
}

TEST(Surface, IsSmoothWhereSlopesAreNoisy) {
  Picture picture = picture_of(60, 60, {{30, 30, 20}});
  const auto smooth = surface_of(picture.maps, picture.region);
  const Draws draws(1, "surface test");
  for (size_t i = picture.maps.pixels(); i < picture.maps.values.size(); ++i)
    picture.maps.values[i] += 0.1f * static_cast<float>(draws.normal(i));
  const auto rough = surface_of(picture.maps, picture.region);
  for (size_t i = 0; i < rough.size(); ++i) EXPECT_NEAR(rough[i], smooth[i], 1) << "slopes are off by 0.2";
}

// object_finder.h relies on it.
TEST(Surface, OfAPieceDoesNotDependOnOthersOrOnWhereItLies) {
  const Picture both = picture_of(120, 60, {{20, 20, 12}, {90, 30, 25}}), one = picture_of(60, 50, {{20, 20, 12}});
  const auto of_both = surface_of(both.maps, both.region), alone = surface_of(one.maps, one.region);
  for (int y = 0; y < 50; ++y)
    for (int x = 0; x < 60; ++x) ASSERT_EQ(both.height_at(of_both, x, y), one.height_at(alone, x, y));
}

}  // namespace
}  // namespace penstock::stages
