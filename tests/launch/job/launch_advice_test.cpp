#include "launch/job/launch_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::launch {
namespace {

using distributed::Launcher;
using distributed::World;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(LaunchAdvice, TwoRanksBoundToOneCoreEachLeaveTheOthersIdle) {
  EXPECT_THAT(launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {}, {.allowed_cores = 1, .job_cores = 8}),
              ElementsAre(AllOf(HasSubstr("1 of 8 cores, and 6 of them stay idle"), HasSubstr("--bind-to none"),
                                HasSubstr("--map-by slot:PE=4"))));
}

TEST(LaunchAdvice, MoreThreadsThanTheCoresThatARankIsBoundToTakeTurns) {
  EXPECT_THAT(
      launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {{"OMP_NUM_THREADS", "4"}}, {.allowed_cores = 1, .job_cores = 8}),
      ElementsAre(AllOf(HasSubstr("4 threads but is bound to 1 core"), HasSubstr("PE=4"))));
}

TEST(LaunchAdvice, WithoutCoresToSpareFewerThreadsAreAdvised) {
  EXPECT_THAT(
      launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {{"OMP_NUM_THREADS", "2"}}, {.allowed_cores = 1, .job_cores = 2}),
      ElementsAre(HasSubstr("OMP_NUM_THREADS=1")));
}

TEST(LaunchAdvice, MoreRanksThanGpusAreTold) {
  EXPECT_THAT(launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {}, {.allowed_cores = 8, .job_cores = 8, .gpus = 1}),
              ElementsAre(HasSubstr("2 ranks share 1 GPU")));
}

TEST(LaunchAdvice, AGoodLineIsNotCommentedOn) {
  EXPECT_THAT(launch_advice({}, {}, {.allowed_cores = 8, .job_cores = 8}), IsEmpty());
  EXPECT_THAT(launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {}, {.allowed_cores = 8, .job_cores = 8}), IsEmpty());
  EXPECT_THAT(launch_advice({Launcher::open_mpi, 0, 2, 0, 2}, {}, {.allowed_cores = 1, .job_cores = 2}), IsEmpty());
  EXPECT_THAT(launch_advice({Launcher::open_mpi, 0, 4, 0, 2}, {}, {.allowed_cores = 4, .job_cores = 8, .gpus = 2}),
              IsEmpty());
}

}  // namespace
}  // namespace penstock::launch
