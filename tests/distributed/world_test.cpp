#include "distributed/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::distributed {
namespace {

using testing::HasSubstr;

ExitCode refusal(const Environment& environment) {
  try {
    world_of(environment);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("mpirun -np N")) << "the message says what does work";
    return error.code();
  }
  return ExitCode::done;
}

TEST(World, AnEmptyEnvironmentIsOneRankAlone) {
  const World world = world_of({});
  EXPECT_EQ(world.launcher, Launcher::alone);
  EXPECT_EQ(world.size, 1);
}

TEST(World, OpenMpiGivesRankAndPlaceOnTheMachine) {
  const World world = world_of({{"OMPI_COMM_WORLD_SIZE", "8"},
                                {"OMPI_COMM_WORLD_RANK", "5"},
                                {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}});
  EXPECT_EQ(world.launcher, Launcher::open_mpi);
  EXPECT_EQ(world.rank, 5);
  EXPECT_EQ(world.size, 8);
  EXPECT_EQ(world.local_rank, 1);
  EXPECT_EQ(world.local_size, 4);
}

TEST(World, SrunWithPmixIsAWorld) {
  const World world =
      world_of({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "3"}, {"SLURM_LOCALID", "3"}, {"PMIX_RANK", "3"}});
  EXPECT_EQ(world.launcher, Launcher::slurm);
  EXPECT_EQ(world.rank, 3);
  EXPECT_EQ(world.size, 4);
}

TEST(World, SrunWithoutPmixIsRefused) {
  EXPECT_EQ(refusal({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "3"}}), ExitCode::environment);
}

TEST(World, ABatchScriptOfSlurmIsAlone) {
  EXPECT_EQ(world_of({{"SLURM_JOB_ID", "17"}, {"SLURM_NTASKS", "4"}}).launcher, Launcher::alone);
}

TEST(World, AnotherMpisLauncherIsRefused) {
  EXPECT_EQ(refusal({{"PMI_SIZE", "2"}, {"PMI_RANK", "0"}}), ExitCode::environment);
}

TEST(World, ARankOutsideItsWorldIsRefused) {
  EXPECT_EQ(refusal({{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "2"}}), ExitCode::environment);
}

TEST(World, RanksOfAMachineShareItsCores) {
  const World world{Launcher::open_mpi, 0, 4, 0, 4};
  EXPECT_EQ(threads_of(world, {}, 16), 4);
  EXPECT_EQ(threads_of(world, {}, 2), 1);
  EXPECT_EQ(threads_of(world, {{"PENSTOCK_THREADS", "3"}, {"OMP_NUM_THREADS", "7"}}, 16), 3);
}

TEST(World, AChildSeesNoLauncher) {
  const Environment rest = without_launcher({{"OMPI_COMM_WORLD_RANK", "1"}, {"PMIX_RANK", "1"}, {"HOME", "/root"}});
  EXPECT_EQ(rest, (Environment{{"HOME", "/root"}}));
}

TEST(World, RanksOfAMachineTakeItsDevicesInTurn) {
  EXPECT_EQ(device_of({Launcher::open_mpi, 5, 8, 1, 4}, 4), 1);
  EXPECT_EQ(device_of({Launcher::open_mpi, 5, 8, 3, 4}, 2), 1);
  EXPECT_EQ(device_of({}, 1), 0);
  EXPECT_EQ(device_of({}, 0), -1);
}

}  // namespace
}  // namespace penstock::distributed
