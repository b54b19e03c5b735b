// Whether training runs on GPUs, and what is said when it cannot.
#include "stages/cuda_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/local_communicator.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;

bool has_gpu() { return gpus_are_likely() && cuda_library().devices() > 0; }

TEST(ChooseCuda, TheCpuIsChosenWithoutLookingForAGpu) {
  const auto ranks = distributed::local_world(1);
  EXPECT_FALSE(choose_cuda("cpu", *ranks[0]));
}

TEST(ChooseCuda, AnUnknownDeviceIsAProgrammersMistakeAndNotAuto) {
  const auto ranks = distributed::local_world(1);
  EXPECT_THROW(choose_cuda("gpu", *ranks[0]), Error);
}

TEST(ChooseCuda, WithoutAGpuAutoIsTheCpuOnEveryRank) {
  if (has_gpu()) GTEST_SKIP() << "not run: this machine has a GPU";
  distributed::run_local_ranks(3, [](distributed::Communicator& ranks) { EXPECT_FALSE(choose_cuda("auto", ranks)); });
}

TEST(ChooseCuda, WithoutAGpuCudaIsRefusedOnEveryRankWithWhatIsMissing) {
  if (has_gpu()) GTEST_SKIP() << "not run: this machine has a GPU";
  distributed::run_local_ranks(2, [](distributed::Communicator& ranks) {
    try {
      choose_cuda("cuda", ranks);
      ADD_FAILURE() << "rank " << ranks.rank();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::environment);
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("train.device = \"cuda\""), HasSubstr("rank 0"),
                                               HasSubstr("device = \"auto\"")));
      EXPECT_THAT(error.what(), testing::AnyOf(HasSubstr("no NVIDIA driver"), HasSubstr("no libpenstock_cuda.so"),
                                               HasSubstr("shows no GPU")));
    }
  });
}

}  // namespace
}  // namespace penstock::stages
