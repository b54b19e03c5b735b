#include "stages/packs/data_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stages/images/appearance.h"

namespace penstock::stages {
namespace {

ImageRow row(const std::string& id, int64_t objects) {
  ImageRow row;
  row.metadata = {
      {"id", id},          {"entry", id + ", 1.png"}, {"width", 4},         {"height", 2},     {"channels", 1},
      {"bits", 8},         {"labelled", true},        {"objects", objects}, {"foreground", 0}, {"mean_intensity", 1.5},
      {"look", "stained"}, {"area_median", nullptr},  {"group", id}};
  for (auto& counts : row.histogram) counts.assign(intensity_bins, 1);
  row.areas.assign(static_cast<size_t>(objects), 7);
  return row;
}

TEST(DataSummary, ARowComesBackFromItsJson) {
  ImageRow before = row("a", 2);
  before.warnings = {"odd"};
  const ImageRow after = image_row_from(to_json(before));
  EXPECT_EQ(after.metadata, before.metadata) << "the columns and nothing else";
  EXPECT_EQ(after.histogram, before.histogram);
  EXPECT_EQ(after.areas, before.areas);
  EXPECT_EQ(after.warnings, before.warnings);
}

TEST(DataSummary, CountsTheLabelledAndShowsGreyAsOneRowOfIntensities) {
  const pipeline::Value grid = {{"width", 4}, {"height", 2}, {"channels", 3}};
  const auto summary = summary_of({row("a", 1), row("b", 3), row("c", 5)}, grid);
  EXPECT_EQ(summary.at("objects"), (pipeline::Value{{"total", 9}, {"minimum", 1}, {"median", 3}, {"maximum", 5}}));
  EXPECT_EQ(summary.at("histograms").at("intensity").at("counts").size(), 1u);
  EXPECT_EQ(summary.at("histograms").at("intensity").at("counts")[0][0], 3);
}

TEST(DataSummary, OneProblemIsEnoughToRefuse) {
  ImageRow bad = row("b", 1);
  EXPECT_TRUE(verdict_on({row("a", 1), bad}).at("passed"));
  bad.problems = {"its mask is not of the grid's size"};
  const auto verdict = verdict_on({row("a", 1), bad});
  EXPECT_FALSE(verdict.at("passed"));
  EXPECT_EQ(verdict.at("problems")[0].at("sample"), "b");
}

TEST(DataSummary, MasksThatCoverMostImagesRefuseAndAFewWarn) {
  ImageRow covered = row("b", 1);
  covered.metadata["foreground"] = 0.95;
  EXPECT_FALSE(verdict_on({covered, covered, row("a", 1)}).at("passed"));
  const auto half = verdict_on({covered, row("a", 1)});
  EXPECT_TRUE(half.at("passed"));
  EXPECT_EQ(half.at("warnings").size(), 1u);
}

TEST(DataSummary, CellsWithCommasAreQuotedAndNullIsEmpty) {
  EXPECT_THAT(metadata_csv({row("a", 1)}), testing::EndsWith("\na,\"a, 1.png\",4,2,1,8,true,1,0,1.5,stained,,a\n"));
}

TEST(DataSummary, TheMedianOfAnEvenCountIsTheLargerOfTheMiddle) {
  EXPECT_EQ(median_of({4, 1, 3, 2}), 3);
  EXPECT_EQ(median_of({}), 0);
}

}  // namespace
}  // namespace penstock::stages
