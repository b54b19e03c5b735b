// Otsu's threshold as a baseline: what it takes for foreground, and how it is summed up.
#include <gtest/gtest.h>

#include <algorithm>

#include "stages/compute/scores/baseline.h"

namespace penstock::stages {
namespace {

// 12 x 10 pixels of 3 channels: a block of 4 x 3 at (2, 1) of another grey.
std::vector<uint8_t> block_picture(uint8_t ground, uint8_t block) {
  std::vector<uint8_t> bytes;
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 12; ++x) {
      const bool inside = x >= 2 && x < 6 && y >= 1 && y < 4;
      bytes.insert(bytes.end(), 3, inside ? block : ground);
    }
  }
  return bytes;
}

LabelMap block_truth() {
  LabelMap truth;
  truth.width = 12, truth.height = 10;
  for (const uint8_t value : block_picture(0, 1)) truth.labels.push_back(value);
  LabelMap one = truth;
  one.labels.clear();
  for (size_t i = 0; i < truth.labels.size(); i += 3) one.labels.push_back(truth.labels[i]);
  return one;
}

TEST(Otsu, TakesTheSmallerAreaForForegroundWhetherItIsBrightOrDark) {
  for (const auto& [ground, block] : {std::pair<uint8_t, uint8_t>(20, 200), std::pair<uint8_t, uint8_t>(220, 90)}) {
    const auto bytes = block_picture(ground, block);
    const auto shown = otsu_foreground({bytes, 12, 10, 3}, 12, 10);
    for (int y = 0; y < 10; ++y) {
      for (int x = 0; x < 12; ++x)
        EXPECT_EQ(shown[static_cast<size_t>(y * 12 + x)], x >= 2 && x < 6 && y >= 1 && y < 4 ? 1 : 0) << x << " " << y;
    }
  }
}

TEST(Otsu, Of16BitsDividesWhatOneByteHolds) {
  std::vector<uint8_t> wide;
  for (const uint8_t block : block_picture(0, 1)) {  // 25700 and 25800: both are 100 in whole bytes
    const auto value = static_cast<uint16_t>(25700 + 100 * block);
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    wide.insert(wide.end(), bytes, bytes + sizeof value);
  }
  const auto shown = otsu_foreground({{wide, 16}, 12, 10, 3}, 12, 10);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), 1.0f), 4 * 3);
  EXPECT_EQ(shown[12 + 2], 1.0f);
}

TEST(Otsu, SeesNothingInAPictureOfOneGrey) {
  for (const uint8_t grey : {uint8_t{0}, uint8_t{100}, uint8_t{255}}) {
    const auto bytes = block_picture(grey, grey);
    const auto shown = otsu_foreground({bytes, 12, 10, 3}, 12, 10);
    EXPECT_EQ(std::count(shown.begin(), shown.end(), 1.0f), 0) << int{grey};
  }
}

TEST(Otsu, WorksAtNativeSize) {
  const auto bytes = block_picture(20, 200);
  const auto large = otsu_foreground({bytes, 12, 10, 3}, 48, 40), small = otsu_foreground({bytes, 12, 10, 3}, 6, 5);
  EXPECT_NEAR(static_cast<double>(std::count(large.begin(), large.end(), 1.0f)), 12 * 16, 30);
  EXPECT_EQ(small.size(), 30u);
  EXPECT_GE(std::count(small.begin(), small.end(), 1.0f), 2);
}

TEST(Otsu, IsScoredAsAModelIsAndSummedUpBySubset) {
  const auto bytes = block_picture(20, 200), nothing = block_picture(7, 7);
  const std::map<std::string, pipeline::Value> rows = {
      {"a", {{"otsu", otsu_scores({bytes, 12, 10, 3}, block_truth(), {})}}},
      {"b", {{"otsu", otsu_scores({nothing, 12, 10, 3}, block_truth(), {})}}},
      {"unlabelled", pipeline::Value::object()}};
  EXPECT_EQ(rows.at("a").at("otsu").at("native").at("dice"), 1.0);
  EXPECT_EQ(rows.at("a").at("otsu").at("native").at("ap50"), 1.0);
  EXPECT_EQ(rows.at("b").at("otsu").at("native").at("missed"), 1);
  pipeline::Value metrics = {{"validation", pipeline::Value::object()}, {"test", pipeline::Value::object()}};
  add_otsu(metrics, rows, {{"a", "validation"}, {"b", "test"}, {"unlabelled", "unlabelled"}});
  EXPECT_EQ(metrics.at("validation").at("otsu").at("micro").at("dice"), 1.0);
  EXPECT_EQ(metrics.at("test").at("otsu").at("micro").at("recall"), 0.0);
  EXPECT_EQ(metrics.at("test").at("otsu").at("objects_predicted"), 0);
}

}  // namespace
}  // namespace penstock::stages
