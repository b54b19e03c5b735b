// Training in bfloat16, with micro_batch = "auto", and on a GPU that is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stages/cuda_library.h"
#include "workplace.h"

namespace penstock {
namespace {

using testing::HasSubstr;

TEST(Device, Bfloat16OnTheCpuGivesTheSameBitsForAnyRankCountAndAnotherKeyThanFloat32) {
  std::string expected;
  for (const int ranks : {1, 2}) {
    Workplace place;
    const Ran ran = place.penstock("run pipeline.toml --until train --set 'train.precision=\"bf16\"'", ranks);
    ASSERT_EQ(ran.code, 0) << ran.error;
    const std::string digest = place.published().at("train.model");
    if (expected.empty()) expected = digest;
    EXPECT_EQ(digest, expected) << ranks;
    EXPECT_THAT(place
                    .penstock("plan pipeline.toml --until train --count --set 'train.precision=\"bf16\"' --set "
                              "'train.device=\"cpu\"' --set 'train.graph=\"off\"'")
                    .out,
                HasSubstr("0 of 7"));
    EXPECT_THAT(place.penstock("plan pipeline.toml --until train --count").out, HasSubstr("1 of 7"));
  }
}

TEST(Device, AGpuThatIsNotThereIsSaidWithExitCode69OnAnyRankCount) {
  if (stages::gpus_are_likely()) GTEST_SKIP() << "not run: this machine has a GPU";
  Workplace place;
  for (const int ranks : {1, 2}) {
    const Ran ran = place.penstock("run pipeline.toml --until train --set 'train.device=\"cuda\"'", ranks);
    EXPECT_EQ(ran.code, 69) << ran.error;
    EXPECT_THAT(ran.error, testing::AllOf(HasSubstr("cannot train on a GPU"),
                                          HasSubstr("With device = \"auto\" it trains on the CPU")));
  }
}

// Which one it is depends on the machine; that it is kept, and does what its name does, does not.
TEST(Device, AnAutomaticPrecisionTrainsAsItsNameDoesAndIsKept) {
  std::map<std::string, std::string> weights;
  const auto trained = [](const Workplace& place, const std::string& precision, int ranks) {
    const Ran ran = place.penstock(
        "run pipeline.toml --until train --set train.base_channels=8 --set "
        "'train.precision=\"" +
            precision + "\"'",
        ranks);
    EXPECT_EQ(ran.code, 0) << ran.error;
    return place.published().at("train.model");
  };
  for (const char* precision : {"fp32", "bf16"}) weights[precision] = trained(Workplace(), precision, 1);
  for (const int ranks : {1, 2}) {
    Workplace place;
    const std::string found = trained(place, "auto", ranks);
    const Ran kept = run("find .penstock -name precision.json | xargs cat", place.path());
    const std::string chosen = nlohmann::json::parse(kept.out).at("precision");
    EXPECT_EQ(found, weights.at(chosen)) << ranks;
    EXPECT_THAT(run("find .penstock -name curves.json | xargs cat", place.path()).out,
                HasSubstr("\"precision\": \"" + chosen + "\""));
  }
}

// Few channels gain nothing from bfloat16 on any processor.
TEST(Device, AnAutomaticPrecisionIsFloat32ForFewChannelsOnTheCpu) {
  Workplace place;
  const Ran ran = place.penstock(
      "run pipeline.toml --until train --set train.base_channels=4 --set 'train.precision=\"auto\"' --set "
      "'train.device=\"cpu\"'");
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("precision = \"auto\" is fp32"));
}

TEST(Device, AnAutomaticMicroBatchIsKeptInProgressAndModel) {
  Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml --until train --set 'train.micro_batch=\"auto\"'").code, 0);
  const Ran found = run("find .penstock -name micro_batch.json -o -name model.json | xargs cat", place.path());
  EXPECT_THAT(found.out, testing::AllOf(HasSubstr("{\"micro_batch\":4}"), HasSubstr("\"micro_batch\": 4")));
}

}  // namespace
}  // namespace penstock
