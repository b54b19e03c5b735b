// A training whose samples do not stay in memory ends with the bytes of one that keeps them all, also when it is killed
// and goes on with another train.cache_bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "training_job.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Samples of 32 x 32 pixels with masks take 4 KiB: a few of 58, and most of them.
constexpr const char* few = " --set train.cache_bytes=20000";
constexpr const char* most = " --set train.cache_bytes=200000";

class SampleCacheEndToEnd : public testing::Test {
 protected:
  void SetUp() override {
    place_.prepare();
    const TrainingPlace all(&place_);
    const Ran ran = all.penstock(training_flags, 2);
    ASSERT_EQ(ran.code, 0) << ran.error;
    EXPECT_THAT(ran.error, Not(HasSubstr("for samples")));
    expected_ = all.published();
  }

  TrainingPlace place_;
  std::map<std::string, std::string> expected_;
};

TEST_F(SampleCacheEndToEnd, GivesTheBytesOfATrainingThatKeepsAllSamples) {
  for (const auto& [ranks, cache] : {std::pair(1, few), std::pair(2, most), std::pair(3, few)}) {
    const TrainingPlace place(&place_);
    const Ran ran = place.penstock(training_flags + std::string(cache), ranks);
    ASSERT_EQ(ran.code, 0) << ran.error;
    EXPECT_THAT(ran.error, AllOf(HasSubstr("epoch 15/15"), HasSubstr("ms a step for samples")));
    EXPECT_EQ(place.published(), expected_) << ranks << " ranks" << cache;
    EXPECT_THAT(text_of(place.path() / "runs/small/report.html"), HasSubstr("were there when they were needed"));
    EXPECT_THAT(place.states("--set train.global_batch=16 --set train.epochs=15"),
                testing::Contains(testing::Pair("train", "hit")))
        << "cache_bytes is in no key";
  }
}

TEST_F(SampleCacheEndToEnd, GoesOnWithAnotherSizeAfterAKill) {
  {
    TrainingJob job(place_, 2, gate_at(disturbed_step), few);
    ASSERT_TRUE(job.wait_at_gate());
    ASSERT_TRUE(job.kill(1, SIGKILL));
    EXPECT_EQ(job.process().wait().code, 128 + SIGKILL);
  }
  const Ran ran = place_.penstock(training_flags + std::string(most), 3);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("resuming at"));
  EXPECT_EQ(place_.published(), expected_);
}

}  // namespace
}  // namespace penstock
