#include "launch/job/time_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::launch {
namespace {

using testing::HasSubstr;

TEST(TimeBudget, IsReadInDaysHoursMinutesAndSeconds) {
  EXPECT_EQ(seconds_of("3h50m"), 13800);
  EXPECT_EQ(seconds_of("1d2h"), 93600);
  EXPECT_EQ(seconds_of("1.5m"), 90);
  EXPECT_EQ(seconds_of("45"), 45);
  for (const char* wrong : {"", "soon", "3x", "-5m", "3h50", "h"}) EXPECT_THROW(seconds_of(wrong), Error) << wrong;
}

TEST(TimeBudget, IsOverWhateverRanksThreadNoticesItFirst) {
  distributed::Watch watch;
  std::atomic<bool> stops{false};
  const TimeKeeper keeper(0.0, watch, stops);
  EXPECT_TRUE(keeper.is_over()) << "its own thread has not looked yet";
}

TEST(TimeBudget, IsSlurmsUnlessOneIsAskedFor) {
  const distributed::Environment slurm = {{"SLURM_JOB_END_TIME", "1000600"}};
  EXPECT_EQ(seconds_to_run("", slurm, 1000000), 600);
  EXPECT_EQ(seconds_to_run("2m", slurm, 1000000), 120);
  EXPECT_EQ(seconds_to_run("", {}, 1000000), std::nullopt);
}

TEST(TimeBudget, TooLittleIsRefusedWithItsReason) {
  for (const std::string asked : {"5s", ""}) {
    try {
      seconds_to_run(asked, {{"SLURM_JOB_END_TIME", "1000004"}}, 1000000);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::environment);
      EXPECT_THAT(error.what(), HasSubstr(asked.empty() ? "Slurm ends this job in 4 s" : "--time-budget 5s"));
    }
  }
}

}  // namespace
}  // namespace penstock::launch
