#include "stages/compute/scores/found_objects.h"

#include <gtest/gtest.h>

#include "stages/compute/scores/object_finder.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

// Of numbered pixels, by walking down each column.
std::vector<std::string> runs_by_pixel(const LabelMap& map) {
  std::vector<std::string> texts(static_cast<size_t>(map.objects()));
  std::vector<std::pair<int64_t, int64_t>> open(texts.size());  // start and length
  const auto close = [&](size_t i) {
    if (open[i].second > 0)
      texts[i] += (texts[i].empty() ? "" : " ") + std::to_string(open[i].first) + " " + std::to_string(open[i].second);
  };
  for (int64_t place = 0; place < int64_t{map.width} * map.height; ++place) {
    const Label label = map.labels[static_cast<size_t>(place % map.height * map.width + place / map.height)];
    if (label == 0) continue;
    auto& [start, length] = open[label - 1u];
    if (length == 0 || start + length != place + 1) {
      close(label - 1u);
      start = place + 1, length = 0;
    }
    ++length;
  }
  for (size_t i = 0; i < open.size(); ++i) close(i);
  return texts;
}

TEST(FoundObjects, KaggleRunsGoDownTheColumnsAndOnFromOneToTheNext) {
  for (const double share : {0.3, 0.6, 0.97, 1.0}) {
    const Draws draws(8, "found objects test");
    PixelMaps maps{37, 53, {"mask"}, std::vector<float>(37 * 53)};
    for (size_t i = 0; i < maps.values.size(); ++i) maps.values[i] = draws.uniform(i) < share ? 1.0f : 0.0f;
    const FoundObjects found = find_objects(maps, 0.5, {});
    const auto expected = runs_by_pixel(label_map_of(found));
    ASSERT_EQ(found.objects.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(run_lengths(found, found.objects[i]), expected[i]);
  }
}

// 5,000 x 5,000: more than is looked at together.
TEST(FoundObjects, KaggleRunsOfAnObjectAsLargeAsALargePictureAreOneRun) {
  constexpr int side = 5000;
  FoundObjects found{side, side, {}, {}};
  for (int y = 0; y < side; ++y) found.runs.push_back({static_cast<uint16_t>(y), 0, side});
  found.objects.push_back({0, side, int64_t{side} * side, 0, 0, 0});
  EXPECT_EQ(run_lengths(found, found.objects[0]), "1 25000000");
}

TEST(FoundObjects, RowsOfLabelsHoldHolesAndNeighbours) {
  FoundObjects found{5, 2, {}, {}};
  found.runs = {{0, 0, 2}, {0, 4, 1}, {1, 0, 1}, {0, 2, 1}, {1, 2, 2}};
  found.objects = {{0, 3, 4, 0, 0, 0}, {3, 2, 3, 0, 0, 0}};
  EXPECT_EQ(label_map_of(found).labels, (std::vector<Label>{1, 1, 2, 0, 1, 1, 0, 2, 2, 0}));
}

}  // namespace
}  // namespace penstock::stages
