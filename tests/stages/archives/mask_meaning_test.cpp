// What masks mean: the rule of "auto" on small pictures, and the objects that each meaning finds.
#include "stages/archives/mask_meaning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

constexpr int side = 40;

MaskNumbers blank(uint32_t value = 0) {
  return {side, side, 8, false, std::vector<uint32_t>(static_cast<size_t>(side) * side, value)};
}

MaskNumbers& with_square(MaskNumbers& mask, int x, int y, uint32_t value, int size = 6) {
  for (int row = y; row < y + size; ++row) std::fill_n(&mask.values[static_cast<size_t>(row) * side + x], size, value);
  return mask;
}

// Squares of these values, apart from each other.
MaskNumbers squares(const std::vector<uint32_t>& values, bool colours = false) {
  MaskNumbers mask = blank();
  mask.colours = colours;
  for (size_t i = 0; i < values.size(); ++i)
    with_square(mask, static_cast<int>(i % 4) * 10 + 2, static_cast<int>(i / 4) * 10 + 2, values[i]);
  return mask;
}

// A bright disc whose edge is smoothed.
MaskNumbers soft_disc() {
  MaskNumbers mask = blank();
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x)
      mask.values[static_cast<size_t>(y) * side + x] =
          static_cast<uint32_t>(255 / (1 + std::exp((std::hypot(x - 20.3, y - 19.7) - 12) / 0.9)));
  }
  return mask;
}

MaskDecision decide(const std::vector<MaskNumbers>& masks, std::optional<MaskMeaning> wanted = std::nullopt,
                    bool several = false) {
  std::vector<NamedStatistics> all;
  for (const MaskNumbers& mask : masks) all.push_back({"m" + std::to_string(all.size()), statistics_of(mask)});
  return decide_masks(wanted, several, all);
}

int objects(const MaskNumbers& mask, const MaskRule& rule) { return objects_in(mask, rule).objects(); }

TEST(MaskMeaning, SeveralFilesOfASampleMeanObjects) {
  EXPECT_EQ(decide({}, std::nullopt, true).rule.meaning, MaskMeaning::objects);
}

TEST(MaskMeaning, OneValueBesideZeroIsBinaryWhateverItIs) {
  for (const uint32_t value : {1u, 255u, 77u, 65535u}) {
    const MaskNumbers mask = squares({value, value, value});
    const auto decision = decide({mask, blank()});
    EXPECT_EQ(decision.rule.meaning, MaskMeaning::binary);
    EXPECT_EQ(objects(mask, decision.rule), 3);
  }
  const MaskNumbers ones = squares({1, 1}), full = squares({255, 255, 255});
  const auto mixed = decide({ones, full});
  EXPECT_EQ(objects(ones, mixed.rule) + objects(full, mixed.rule), 5);
}

TEST(MaskMeaning, AreasAreConnectedBySidesAsInTheScores) {
  MaskNumbers mask = blank();
  with_square(mask, 2, 2, 1);
  with_square(mask, 8, 8, 1);  // touches at a corner
  EXPECT_EQ(objects(mask, decide({mask}).rule), 2);
}

TEST(MaskMeaning, AUShapeIsOneArea) {
  MaskNumbers mask = blank();
  for (int y = 5; y < 15; ++y) mask.values[y * side + 5] = mask.values[y * side + 9] = 1;
  for (int x = 5; x < 10; ++x) mask.values[15 * side + x] = 1;
  EXPECT_EQ(objects(mask, decide({mask}).rule), 1);
}

TEST(MaskMeaning, ValuesThatAreOneAreaEachAreLabelsAndGapsAreFine) {
  MaskNumbers mask = squares({900000, 3, 70000});
  mask.bits = 32;
  with_square(mask, 2, 8, 5);  // touches 900000
  const auto decision = decide({mask, squares({1})});
  EXPECT_EQ(decision.rule.meaning, MaskMeaning::labels);
  const LabelMap map = objects_in(mask, decision.rule);
  EXPECT_EQ(map.objects(), 4);
  EXPECT_EQ(map.labels[2 * side + 12], 1) << "3 is the lowest value";
  EXPECT_EQ(map.labels[2 * side + 2], 4) << "900000 the highest";
}

TEST(MaskMeaning, SmoothedEdgesAreNoLabels) {
  const MaskNumbers mask = soft_disc();
  EXPECT_TRUE(statistics_of(mask).shaded);
  const auto decision = decide({mask, squares({255, 255})});
  EXPECT_EQ(decision.rule.meaning, MaskMeaning::binary);
  EXPECT_TRUE(decision.rule.half_range);
  EXPECT_EQ(objects(mask, decision.rule), 1);
  MaskNumbers noise = squares({1, 2, 3});
  EXPECT_EQ(objects(noise, decision.rule), 0) << "an empty mask with a JPEG's noise";
  EXPECT_EQ(objects(squares({1, 1}), decision.rule), 2) << "a file of 0 and 1 among them";
}

TEST(MaskMeaning, ColoursAreObjectsAndDarkOnesToo) {
  const MaskNumbers mask = squares({0x400000, 0x000001, 0xff00ff}, true);
  const auto decision = decide({mask});
  EXPECT_EQ(decision.rule.meaning, MaskMeaning::colours);
  EXPECT_EQ(objects(mask, decision.rule), 3);
}

TEST(MaskMeaning, WithoutBlackTheMostFrequentColourIsBackground) {
  MaskNumbers mask = blank(0xffffff);
  mask.colours = true;
  with_square(mask, 2, 2, 0xff0000);
  with_square(mask, 20, 20, 0x00ff00);
  const auto decision = decide({mask, mask});
  EXPECT_EQ(decision.rule.background, 0xffffffu);
  EXPECT_EQ(objects(mask, decision.rule), 2);
}

TEST(MaskMeaning, ValuesThatAreUsedAgainMustBeSaid) {
  const MaskNumbers mask = squares({1, 2, 1, 2, 1, 2, 1, 2, 1});
  try {
    decide({squares({1, 2}), mask});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), testing::HasSubstr("m1: the mask's 2 values beside 0 stand for 9 separate areas"));
    EXPECT_THAT(error.what(), testing::HasSubstr("resize.masks = \"pieces\""));
  }
  EXPECT_EQ(objects(mask, decide({mask}, MaskMeaning::pieces).rule), 9);
  EXPECT_EQ(objects(mask, decide({mask}, MaskMeaning::labels).rule), 2);
  EXPECT_EQ(objects(mask, decide({mask}, MaskMeaning::binary).rule), 9);
}

TEST(MaskMeaning, ALabelWithAFragmentIsStillOneObject) {
  MaskNumbers mask = squares({1, 2, 3});
  mask.values[39 * side + 39] = 2;
  const auto decision = decide({mask});
  EXPECT_EQ(decision.rule.meaning, MaskMeaning::labels);
  EXPECT_EQ(objects(mask, decision.rule), 3);
}

TEST(MaskMeaning, MoreObjectsThan16BitsTellApartAreAllThere) {
  MaskNumbers mask{600, 600, 32, false, std::vector<uint32_t>(600 * 600)};
  for (size_t i = 0; i < mask.values.size(); i += 5) mask.values[i] = static_cast<uint32_t>(i + 1);
  EXPECT_EQ(objects(mask, {MaskMeaning::labels, 0, false}), 72000);
}

TEST(MaskMeaning, ARuleComesBackFromItsJson) {
  const MaskRule rule = mask_rule_from(to_json(MaskRule{MaskMeaning::colours, 0xffffff, false}));
  EXPECT_EQ(rule.meaning, MaskMeaning::colours);
  EXPECT_EQ(rule.background, 0xffffffu);
  EXPECT_FALSE(mask_meaning_named("auto"));
}

}  // namespace
}  // namespace penstock::stages
