#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <vector>

#include "distributed/communicator_claims.h"
#include "distributed/local_communicator.h"
#include "process.h"
#include "temporary_folder.h"

namespace penstock::distributed {
namespace {

class LocalRanks : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OneToFive, LocalRanks, testing::Values(1, 2, 3, 5));

TEST_P(LocalRanks, KeepThePromisesOfCollectives) { run_local_ranks(GetParam(), check_collectives); }
TEST_P(LocalRanks, KeepThePromisesOfMessages) { run_local_ranks(GetParam(), check_messages); }
TEST_P(LocalRanks, KeepThePromisesOfSplits) { run_local_ranks(GetParam(), check_split); }

TEST(LocalCommunicator, ARankThatThrowsFreesTheOthersAndItsOwnErrorIsTold) {
  try {
    run_local_ranks(3, [](Communicator& ranks) {
      if (ranks.rank() == 1) throw Error(ExitCode::data, "the cause");
      ranks.receive(any_rank, 1);
    });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the cause");
  }
}

TEST(LocalCommunicator, DifferentCollectivesAtOnceAreADisagreement) {
  try {
    run_local_ranks(2, [](Communicator& ranks) {
      int32_t value = 0;
      if (ranks.rank() == 0) {
        ranks.barrier("a barrier");
      } else {
        ranks.all_reduce(buffer_of(&value, 1), "a sum");
      }
    });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::ranks);
  }
}

Ran probe(int ranks, const std::string& argument = "") {
  const TemporaryFolder folder;
  return run("mpirun --oversubscribe --bind-to none -np " + std::to_string(ranks) +
                 " '" PENSTOCK_BINARY_DIR "/mpi_probe' " + argument,
             folder.path());
}

class Mpi : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(PENSTOCK_BINARY_DIR "/libpenstock_mpi.so"))
      GTEST_SKIP() << "not run: the engine alone is built without MPI";
  }
};

TEST_F(Mpi, TwoProcessesKeepEveryPromise) {
  const Ran ran = probe(2);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.out, "all promises hold on 2 ranks\n");
}

TEST_F(Mpi, ThreeProcessesKeepEveryPromise) {
  const Ran ran = probe(3);
  EXPECT_EQ(ran.code, 0) << ran.error;
}

TEST_F(Mpi, AnAbortEndsEveryRankWithItsCode) { EXPECT_EQ(probe(3, "abort").code, 76); }

TEST_F(Mpi, ARankThatLeavesWithAnErrorEndsTheJobWithItsCode) {
  const Ran ran = probe(2, "throw");
  EXPECT_EQ(ran.code, 65);
  EXPECT_THAT(ran.error, testing::HasSubstr("rank 1 has had enough"));
}

}  // namespace
}  // namespace penstock::distributed
