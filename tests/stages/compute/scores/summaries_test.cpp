// What metrics.json says of a set of images: objects by size, calibration, intervals.
#include "stages/compute/scores/summaries.h"

#include <gtest/gtest.h>

#include <cmath>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// Squares of these sides, side by side, numbered from 1.
LabelMap squares(const std::vector<int>& sides) {
  LabelMap map;
  map.width = 200, map.height = 60;
  map.labels.assign(static_cast<size_t>(map.width) * map.height, 0);
  int left = 0;
  for (size_t i = 0; i < sides.size(); left += sides[i++] + 2) {
    for (int y = 0; y < sides[i]; ++y)
      for (int x = 0; x < sides[i]; ++x)
        map.labels[static_cast<size_t>(y) * map.width + left + x] = static_cast<Label>(i + 1);
  }
  return map;
}

SampleScores scores_of(const LabelMap& truth, const LabelMap& predicted) {
  SampleScores scores;
  scores.objects = score_objects(truth, predicted);
  return scores;
}

TEST(Summaries, CountFoundObjectsByTheAreaOfTheTrueOnes) {
  const LabelMap truth = squares({4, 7, 8, 15, 16, 31, 32, 50});  // areas 16, 49 | 64, 225 | 256, 961 | 1024, 2500
  LabelMap predicted = truth;
  for (Label& label : predicted.labels) label = label == 1 || label == 7 ? 0 : label;
  const Value sizes = summarise_scores({scores_of(truth, predicted)}, false).at("native").at("by_size");
  ASSERT_EQ(sizes.size(), 4u);
  EXPECT_EQ(sizes[0], (Value{{"from", 0}, {"below", 64}, {"objects", 2}, {"found", 1}}));
  EXPECT_EQ(sizes[1], (Value{{"from", 64}, {"below", 256}, {"objects", 2}, {"found", 2}}));
  EXPECT_EQ(sizes[2], (Value{{"from", 256}, {"below", 1024}, {"objects", 2}, {"found", 2}}));
  EXPECT_EQ(sizes[3], (Value{{"from", 1024}, {"objects", 2}, {"found", 1}}));
}

TEST(Summaries, ComeThroughJsonUnchanged) {
  SampleScores scores = scores_of(squares({4, 20}), squares({4, 18}));
  scores.calibration = calibration_of(std::vector<float>{0.1f, 0.15f, 0.9f}, std::vector<uint8_t>{0, 1, 1});
  EXPECT_EQ(to_json(sample_scores_from_json(to_json(scores))), to_json(scores));
}

TEST(Calibration, OfProbabilitiesThatAreRightHasNoErrorAndOfOthersTheirDistance) {
  std::vector<float> probability;
  std::vector<uint8_t> right, always;
  const Draws draws(1, "calibration");
  for (uint64_t i = 0; i < 100'000; ++i) {
    probability.push_back(static_cast<float>(draws.uniform(2 * i)));
    right.push_back(draws.uniform(2 * i + 1) < probability.back());
    always.push_back(1);
  }
  EXPECT_LT(calibration_of(probability, right).error(), 0.01);
  EXPECT_NEAR(calibration_of(probability, always).error(), 0.5, 0.01) << "the mean probability is a half";
  EXPECT_EQ(calibration_of(probability, right).pixels(), 100'000);
  EXPECT_EQ(Calibration().error(), 0);
}

TEST(Calibration, PutsZeroAndOneIntoTheOutermostBins) {
  const auto found = calibration_of(std::vector<float>{0, 1, 0.0999f, 0.1f}, std::vector<uint8_t>{0, 1, 0, 0});
  EXPECT_EQ(found.bins[0].pixels, 2);
  EXPECT_EQ(found.bins[1].pixels, 1);
  EXPECT_EQ(found.bins[9].pixels, 1);
  EXPECT_EQ(found.bins[9].probabilities, 65535);
}

TEST(Intervals, HoldTheFigureAndNarrowWithTheNumberOfImages) {
  std::vector<SampleScores> rows;
  const Draws draws(2, "images");
  for (uint64_t i = 0; i < 400; ++i) {
    SampleScores row;
    row.objects.map = draws.uniform(i);
    row.native = {static_cast<int64_t>(1 + draws.below(1000 + i, 100)), 10, 10, 0};
    rows.push_back(row);
  }
  const auto width = [&](size_t count) {
    const Value native =
        summarise_scores({rows.begin(), rows.begin() + static_cast<int64_t>(count)}, false).at("native");
    const Value& interval = native.at("intervals").at("map");
    EXPECT_LE(interval[0].get<double>(), native.at("map").get<double>());
    EXPECT_GE(interval[1].get<double>(), native.at("map").get<double>());
    EXPECT_LE(native.at("intervals").at("dice")[0].get<double>(), native.at("micro").at("dice").get<double>());
    return interval[1].get<double>() - interval[0].get<double>();
  };
  // The standard error of a mean of n uniform numbers is 1 / sqrt(12 n); the interval has 3.92 of them.
  EXPECT_NEAR(width(400), 3.92 / std::sqrt(12 * 400.0), 0.012);
  EXPECT_NEAR(width(25), 3.92 / std::sqrt(12 * 25.0), 0.05);
}

TEST(Intervals, NeedTwoImages) {
  EXPECT_FALSE(summarise_scores({SampleScores()}, false).at("native").contains("intervals"));
}

}  // namespace
}  // namespace penstock::stages
