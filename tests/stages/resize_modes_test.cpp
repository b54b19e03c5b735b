#include "stages/resize_modes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

TEST(SampleSize, OfAScaledPictureIsRoundedAndNeverZero) {
  EXPECT_EQ(sample_size({"native", 0, 0, 0.5}, 101, 33, 3, "x").width, 51);
  EXPECT_EQ(sample_size({"native", 0, 0, 0.01}, 101, 33, 3, "x").height, 1);
  EXPECT_THROW(sample_size({"native", 0, 0, 4}, 30000, 30000, 3, "x"), Error);
}

TEST(SampleSize, OfAFittedPictureTouchesTheLimitsAndKeepsItsShape) {
  for (const auto& [width, height] :
       {std::pair(520, 696), std::pair(1, 4000), std::pair(37, 41), std::pair(256, 256)}) {
    const SampleSize size = sample_size({"fit", 128, 96}, width, height, 3, "x");
    EXPECT_TRUE(size.width == 128 || size.height == 96) << width << " x " << height;
    EXPECT_TRUE(size.width <= 128 && size.height <= 96) << width << " x " << height;
    EXPECT_NEAR(size.width, std::max(1.0, static_cast<double>(size.height) * width / height), 1)
        << width << " x " << height;
  }
}

TEST(SampleRule, ComesBackFromItsJson) {
  for (const SampleRule& rule :
       {SampleRule{"squash", 128, 64}, SampleRule{"fit", 300, 200}, SampleRule{"native", 0, 0, 0.7}})
    EXPECT_EQ(sample_rule_from(to_json(rule)), rule) << in_words(rule);
  EXPECT_FALSE(to_json({"squash", 128, 64}).contains("mode")) << "as indexes of grids have always been";
  EXPECT_THROW(sample_rule_from({{"mode", "crop"}, {"scale", 1}}), Error);
}

}  // namespace
}  // namespace penstock::stages
