// What normalise = "auto" chooses for a data set.
#include "stages/training/normalisations.h"

#include <gtest/gtest.h>

namespace penstock::stages {
namespace {

using pipeline::Value;

Value picture(int bits, const std::string& look) { return {{"bits", bits}, {"look", look}}; }

std::string chosen(const Value& pictures) { return chosen_normalisation({{"images", pictures}}).name; }

TEST(Normalisations, DataOf8BitsWithColouredPicturesIsTakenAsItIs) {
  EXPECT_EQ(chosen({picture(8, "stained"), picture(8, "fluorescence")}), "unit");
  EXPECT_EQ(chosen_normalisation({{"images", {picture(8, "stained"), picture(8, "fluorescence")}}}).why,
            "all have 8 bits, and 1 of 2 pictures are coloured");
}

TEST(Normalisations, GreyPicturesAreScaledEachByItsPercentiles) {
  EXPECT_EQ(chosen({picture(8, "brightfield"), picture(8, "fluorescence")}), "percentile");
}

TEST(Normalisations, OneDeepPictureIsEnoughForPercentiles) {
  EXPECT_EQ(chosen({picture(8, "stained"), picture(16, "stained")}), "percentile");
}

TEST(Normalisations, TheWordForTheChoiceIsNoRule) {
  for (const NormalisationRule& rule : normalisation_rules()) EXPECT_NE(rule.name, chosen_by_data);
  EXPECT_EQ(normalise_choices().size(), normalisation_rules().size() + 1);
}

}  // namespace
}  // namespace penstock::stages
