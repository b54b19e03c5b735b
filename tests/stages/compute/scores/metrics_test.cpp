#include <gtest/gtest.h>

#include <cmath>

#include "stages/compute/scores/components_of.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/metrics.h"
#include "stages/compute/scores/threshold_sweep.h"

namespace penstock::stages {
namespace {

TEST(PixelMetrics, AreTheTextbooksOnAWorkedExample) {
  const PixelCounts counts{6, 2, 4, 88};
  EXPECT_DOUBLE_EQ(counts.precision(), 0.75);
  EXPECT_DOUBLE_EQ(counts.recall(), 0.6);
  EXPECT_DOUBLE_EQ(counts.dice(), 12.0 / 18);
  EXPECT_DOUBLE_EQ(counts.iou(), 0.5);
  EXPECT_DOUBLE_EQ(counts.accuracy(), 0.94);
  EXPECT_DOUBLE_EQ(counts.specificity(), 88.0 / 90);
}

TEST(PixelMetrics, NothingThereAndNothingFoundScoresOne) {
  const PixelCounts empty{0, 0, 0, 10};
  const auto figures = figures_of(empty);
  for (const auto& [name, value] : figures.items()) EXPECT_EQ(value, 1.0) << name;
  EXPECT_EQ((PixelCounts{0, 3, 0, 7}.dice()), 0.0);
  EXPECT_EQ((PixelCounts{0, 0, 3, 7}.precision()), 0.0);
}

TEST(PixelMetrics, AboveTheThresholdIsForegroundNotAtIt) {
  const std::vector<float> probability = {0.5f, 0.6f};
  const std::vector<uint8_t> truth = {1, 1};
  EXPECT_EQ(count_pixels(probability, truth, 0.5).tp, 1);
}

TEST(Thresholds, TheBestOneSeparatesAndOfEqualsTheOneNearestToAHalfIsTaken) {
  const std::vector<float> probability = {0.1f, 0.2f, 0.8f, 0.9f};
  const std::vector<uint8_t> truth = {0, 0, 1, 1};
  EXPECT_DOUBLE_EQ(best_threshold(sweep(probability, truth)), 0.5);
  const std::vector<float> shifted = {0.01f, 0.05f, 0.15f, 0.2f};
  const double chosen = best_threshold(sweep(shifted, truth));
  EXPECT_GT(chosen, 0.05);
  EXPECT_LT(chosen, 0.15);
}

LabelMap labels(int width, std::vector<Label> values) {
  return {static_cast<int>(values.size()) / width, width, std::move(values)};
}

TEST(Components, TouchAtEdgesWithFourNeighboursAndAtCornersWithEight) {
  const std::vector<float> p = {1, 0, 0, 1};
  EXPECT_EQ(components(p, 2, 2, 0.5, {4, 0}).objects(), 2);
  EXPECT_EQ(components(p, 2, 2, 0.5, {8, 0}).objects(), 1);
}

TEST(Components, AUShapeIsOneAndSmallOnesCanBeRemoved) {
  const std::vector<float> u = {1, 0, 1, 0, 1,  //
                                1, 0, 1, 0, 0,  //
                                1, 1, 1, 0, 0};
  EXPECT_EQ(components(u, 5, 3, 0.5, {4, 0}).objects(), 2);
  const LabelMap large = components(u, 5, 3, 0.5, {4, 2});
  EXPECT_EQ(large.objects(), 1);
  EXPECT_EQ(large.labels[4], 0);
}

TEST(Objects, APerfectPredictionScoresOneAndNothingAgainstNothingToo) {
  const LabelMap truth = labels(3, {1, 1, 0, 0, 2, 2});
  EXPECT_DOUBLE_EQ(score_objects(truth, truth).map, 1);
  EXPECT_DOUBLE_EQ(score_objects(truth, truth).panoptic_quality, 1);
  const LabelMap nothing = labels(3, {0, 0, 0, 0, 0, 0});
  EXPECT_DOUBLE_EQ(score_objects(nothing, nothing).map, 1);
  EXPECT_DOUBLE_EQ(score_objects(truth, nothing).map, 0);
  EXPECT_EQ(score_objects(truth, nothing).missed, 2);
}

// IoU 2/3: a match at 0.50, 0.55, 0.60, 0.65, so 4 of 10 thresholds.
TEST(Objects, TheMeanOverThresholdsCountsMatchesAboveEach) {
  const auto scores = score_objects(labels(4, {1, 1, 0, 0}), labels(4, {1, 1, 1, 0}));
  EXPECT_NEAR(scores.map, 0.4, 1e-12);
  EXPECT_DOUBLE_EQ(scores.ap50, 1);
}

// At exactly 0.5 there is no match: IoU must exceed the threshold (the challenge's rule).
TEST(Objects, AnOverlapOfExactlyAHalfIsNoMatch) {
  const auto scores = score_objects(labels(4, {1, 1, 0, 0}), labels(4, {1, 0, 0, 0}));
  EXPECT_EQ(scores.ap50, 0);
  EXPECT_EQ(scores.missed, 1);
  EXPECT_EQ(scores.extra, 1);
}

TEST(Objects, SmallOnesDoNotCountWhereTheyAreLeftOut) {
  const LabelMap truth = labels(4, {1, 1, 0, 2}), found = labels(4, {1, 1, 0, 2}), large = labels(4, {1, 1, 0, 0});
  const ObjectComparison comparison(truth, found);
  EXPECT_DOUBLE_EQ(comparison.scores().map, 1);
  EXPECT_EQ(comparison.scores(2).missed, 1);
  EXPECT_DOUBLE_EQ(comparison.scores(2).map, score_objects(truth, large).map);
  EXPECT_EQ(comparison.scores(3).objects_predicted, 0);
  EXPECT_DOUBLE_EQ(ObjectComparison(found, labels(4, {0, 0, 1, 0})).scores(2).map, 0);
}

}  // namespace
}  // namespace penstock::stages
