// What only a GPU can show. `penstock doctor --gpu` holds the checks; these run it as a user would. Without a GPU each
// says "not run", and ctest counts it as skipped.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "process.h"
#include "stages/cuda_library.h"
#include "temporary_folder.h"

namespace penstock {
namespace {

const std::string program = PENSTOCK_BINARY_DIR "/penstock";

class Gpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!stages::gpus_are_likely() || stages::cuda_library().devices() == 0)
      GTEST_SKIP() << "not run: this machine has no GPU, or this build no libpenstock_cuda.so";
  }
  // Every check passes, but for those that are not run.
  void expect_fit(const std::string& command, size_t least_ok) {
    const TemporaryFolder folder;
    const Ran ran = run(command, folder.path());
    EXPECT_EQ(ran.code, 0) << ran.out << ran.error;
    const auto found = nlohmann::json::parse(ran.out);
    EXPECT_EQ(found.at("failed"), 0) << ran.out;
    EXPECT_GE(found.at("ok").get<size_t>(), least_ok) << ran.out;
  }
};

TEST_F(Gpu, PassesEveryCheckOfTheDoctor) { expect_fit("'" + program + "' doctor --gpu --json", 20); }

// NCCL takes ranks with host ids of their own for two machines, so that they may share a device.
TEST_F(Gpu, TwoRanksOnOneDevicePassThoseOfSeveralRanks) {
  expect_fit(
      "mpirun -np 2 --oversubscribe --bind-to none sh -c 'NCCL_HOSTID=machine$OMPI_COMM_WORLD_RANK "
      "CUDA_VISIBLE_DEVICES=0 exec \"" +
          program + "\" doctor --gpu --json'",
      20);
}

TEST_F(Gpu, TwoRanksOnOneDeviceAreRefusedInUse) {
  const TemporaryFolder folder;
  const Ran ran = run("mpirun -np 2 --oversubscribe --bind-to none sh -c 'CUDA_VISIBLE_DEVICES=0 exec \"" + program +
                          "\" doctor --gpu'",
                      folder.path());
  EXPECT_EQ(ran.code, 69) << ran.out << ran.error;
  EXPECT_NE((ran.out + ran.error).find("share one GPU"), std::string::npos) << ran.out << ran.error;
}

}  // namespace
}  // namespace penstock
