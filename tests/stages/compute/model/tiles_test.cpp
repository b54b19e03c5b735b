// Tiles: where they lie, how they are blended, and what is held of a picture meanwhile.
#include "stages/compute/model/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::stages {
namespace {

using testing::ElementsAre;

TEST(TileOrigins, CoverASideFlushAtBothEndsWithAtLeastTheOverlap) {
  for (int size = 1; size < 300; size += 7) {
    for (const double overlap : {0.0, 0.25, 0.5}) {
      const auto origins = tile_origins(size, 32, overlap);
      if (size <= 32) continue;
      EXPECT_EQ(origins.front(), 0);
      EXPECT_EQ(origins.back(), size - 32);
      for (size_t i = 1; i < origins.size(); ++i)
        EXPECT_LE(origins[i] - origins[i - 1], static_cast<int>(32 * (1 - overlap))) << size << " " << overlap;
    }
  }
}

TEST(TileOrigins, OfASideThatIsNotLongerThanATileAreOneThatIsCentred) {
  EXPECT_THAT(tile_origins(32, 32, 0.5), ElementsAre(0));
  EXPECT_THAT(tile_origins(20, 32, 0.5), ElementsAre(-6));
  EXPECT_THAT(tile_origins(1, 32, 0), ElementsAre(-15));
}

TEST(FittedTile, IsNoLargerThanAsManyTilesOfTheMostPixelsNeed) {
  EXPECT_EQ(fitted_tile(256, 512, 16, 0.25), 256);
  EXPECT_EQ(fitted_tile(250, 512, 16, 0.25), 256);
  EXPECT_EQ(fitted_tile(520, 512, 16, 0.25), 304) << "two that overlap by a quarter";
  EXPECT_EQ(fitted_tile(5, 512, 16, 0.25), 16);
  EXPECT_EQ(fitted_tile(100, 70, 16, 0), 64) << "at most 70, in multiples of 16";
  EXPECT_EQ(fitted_tile(100, 10, 16, 0), 16) << "one unit, where not even that is allowed";
  for (int size = 1; size < 3000; size += 37) {
    const int tile = fitted_tile(size, 512, 16, 0.25);
    EXPECT_EQ(tile % 16, 0);
    EXPECT_LE(tile, 512);
    EXPECT_EQ(tile_origins(size, tile, 0.25).size(), tile_origins(size, 512, 0.25).size()) << size;
    if (tile == 16) continue;
    EXPECT_GT(tile_origins(size, tile - 16, 0.25).size(), tile_origins(size, tile, 0.25).size()) << size;
  }
}

// What a network that answers with a pixel's own place would give.
float value_at(int x, int y) { return static_cast<float>(1000 * y + x); }

TEST(BlendTiles, GivesBackValuesThatAllTilesAgreeOn) {
  for (const auto& [width, height] : {std::pair(70, 45), std::pair(16, 16), std::pair(5, 90), std::pair(1, 1)}) {
    const TiledPicture picture = {width, height, 16, 16, 0.25};
    int expected = 0;
    blend_tiles(
        picture,
        [](int left, int top) {
          std::vector<float> tile;
          for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) tile.push_back(value_at(left + x, top + y));
          return tile;
        },
        [&](int y, std::span<const float> row) {
          ASSERT_EQ(y, expected++);
          ASSERT_EQ(row.size(), static_cast<size_t>(width));
          for (int x = 0; x < width; ++x) EXPECT_NEAR(row[x], value_at(x, y), 0.02) << x << ", " << y;
        });
    EXPECT_EQ(expected, height);
  }
}

TEST(BlendTiles, WeighsTheMiddleOfATileMoreThanItsEdges) {
  // Two tiles of 8 over 12 pixels, 0 and 1: where they overlap the values rise evenly.
  std::vector<float> row;
  blend_tiles(
      {12, 1, 8, 1, 0.5}, [](int left, int) { return std::vector<float>(8, left == 0 ? 0.0f : 1.0f); },
      [&](int, std::span<const float> values) { row.assign(values.begin(), values.end()); });
  EXPECT_TRUE(std::is_sorted(row.begin(), row.end()));
  EXPECT_EQ(row[3], 0);
  EXPECT_NEAR(row[4], 0.125, 1e-6);
  EXPECT_NEAR(row[7], 0.875, 1e-6);
  EXPECT_EQ(row[8], 1);
}

TEST(BlendTiles, GivesRowsAsSoonAsNoLaterTileTouchesThem) {
  // At most the rows of one tile are open at any time.
  int bands = 0, given = 0;
  const auto evaluate = [&](int, int top) {
    EXPECT_EQ(given, top);
    ++bands;
    return std::vector<float>(40);
  };
  blend_tiles({4, 100, 4, 10, 0}, evaluate, [&](int, std::span<const float>) { ++given; });
  EXPECT_EQ(bands, 10);
  EXPECT_EQ(given, 100);
}

}  // namespace
}  // namespace penstock::stages
