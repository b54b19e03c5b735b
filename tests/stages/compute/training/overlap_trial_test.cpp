// train.overlap: what the trial chooses, and that the step reports how it works.
#include <gtest/gtest.h>

#include "distributed/local_communicator.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/small_training.h"
#include "stages/compute/training/overlap_trial.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;

// Steps of a trial in which those with overlap take `with` seconds, and the others `without`.
std::vector<bool> tried(HostStep& step, Communicator& ranks, double without, double with) {
  OverlapTrial trial("auto", step, ranks);
  std::vector<bool> overlapped;
  for (size_t i = 0; i < 2 * OverlapTrial::tries + 2; ++i) {
    trial.before_step();
    overlapped.push_back(step.overlaps());
    trial.record(step.overlaps() ? with : without);
  }
  EXPECT_FALSE(trial.is_active());
  return overlapped;
}

HostStep host_step(Communicator& ranks, bool overlap = false) {
  return HostStep(tiny(), architecture_of(tiny(), 3), grid, Normaliser{}, ranks, 1, {Reproducible::world, overlap});
}

TEST(OverlapTrial, AlternatesAndThenTakesTheFaster) {
  distributed::run_local_ranks(2, [](Communicator& ranks) {
    HostStep step = host_step(ranks);
    for (const bool pays : {true, false}) {
      const auto overlapped = tried(step, ranks, 2, pays ? 1 : 3);
      for (size_t i = 0; i < 2 * OverlapTrial::tries; ++i) EXPECT_EQ(overlapped[i], i % 2 == 1) << i;
      EXPECT_EQ(overlapped.back(), pays);
    }
  });
}

TEST(OverlapTrial, LeavesAloneWhatIsSetOrCannotBeChosen) {
  distributed::run_local_ranks(2, [](Communicator& ranks) {
    HostStep step = host_step(ranks, true);
    EXPECT_FALSE(OverlapTrial("on", step, ranks).is_active());
  });
  const auto alone = distributed::local_world(1);
  HostStep step = host_step(*alone[0]);
  EXPECT_FALSE(OverlapTrial("auto", step, *alone[0]).is_active());
}

TEST(Overlap, IsReportedAsTheStepWorks) {
  distributed::run_local_ranks(2, [](Communicator& ranks) {
    EXPECT_TRUE(host_step(ranks, true).overlaps()) << "overlap = \"on\"";
    EXPECT_FALSE(host_step(ranks, false).overlaps());
    const auto device = [&](const StepOptions& options) {
      return DeviceStep(tiny(), architecture_of(tiny(), 3), grid, Normaliser{}, ranks, host_device(ranks, 1), options)
          .overlaps();
    };
    EXPECT_TRUE(device({Reproducible::run, true}));
    EXPECT_FALSE(device({Reproducible::world, true})) << "the tree sums on the host, after backward";
  });
  const auto alone = distributed::local_world(1);
  EXPECT_FALSE(host_step(*alone[0], true).overlaps()) << "a lone rank has nothing to reduce";
}

}  // namespace
}  // namespace penstock::stages
