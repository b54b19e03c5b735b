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

TEST(Device, AnAutomaticMicroBatchIsKeptInProgressAndModel) {
  Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml --until train --set 'train.micro_batch=\"auto\"'").code, 0);
  const Ran found = run("find .penstock -name micro_batch.json -o -name model.json | xargs cat", place.path());
  EXPECT_THAT(found.out, testing::AllOf(HasSubstr("{\"micro_batch\":4}"), HasSubstr("\"micro_batch\": 4")));
}

}  // namespace
}  // namespace penstock
