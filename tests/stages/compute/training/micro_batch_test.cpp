// micro_batch = "auto", and what is said when a device's memory is not enough.
#include "stages/compute/training/micro_batch.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/local_communicator.h"
#include "pipeline/files.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device_with.h"
#include "stages/compute/training/device_memory.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(MicroBatch, CandidatesShareTheBatchEvenlyWhereThatCanBe) {
  EXPECT_THAT(micro_batch_candidates(16, 1), ElementsAre(1, 2, 4, 8, 16));
  EXPECT_THAT(micro_batch_candidates(16, 4), ElementsAre(1, 2, 4));
  EXPECT_THAT(micro_batch_candidates(12, 3), ElementsAre(1, 2, 4));
  EXPECT_THAT(micro_batch_candidates(16, 3), ElementsAre(1, 2, 4)) << "each has some";
  EXPECT_THAT(micro_batch_candidates(2, 4), ElementsAre(1));
}

TEST(MicroBatch, TheLargestThatFitsIsFoundInFewTries) {
  const auto candidates = micro_batch_candidates(4096, 1);
  for (int64_t limit = 1; limit <= 5000; limit += 37) {
    int tries = 0;
    const auto found = largest_fitting(candidates, [&](int64_t micro) { return ++tries, micro <= limit; });
    ASSERT_TRUE(found);
    EXPECT_LE(*found, limit);
    EXPECT_TRUE(*found * 2 > limit || *found == 4096);
    EXPECT_LE(tries, 5);
  }
  EXPECT_FALSE(largest_fitting(candidates, [](int64_t) { return false; }));
}

TEST(MicroBatch, AutoIsTheLargestUpToFourWithoutAGpu) {
  for (const auto& [batch, micro] : {std::pair(16, 4), std::pair(6, 3), std::pair(10, 2), std::pair(7, 1)}) {
    const auto parameters = train_parameters_of({{"global_batch", batch}, {"micro_batch", "auto"}});
    EXPECT_EQ(parameters.micro_batch, micro) << batch;
  }
  EXPECT_EQ(train_parameters_of({{"micro_batch", 8}}).micro_batch, 8);
}

TEST(MicroBatch, OnceFixedItStaysAndIsTheSmallestOfAllRanks) {
  const TemporaryFolder progress;
  distributed::run_local_ranks(3, [&](Communicator& ranks) {
    std::vector<std::filesystem::path> none;
    EXPECT_EQ(fixed_micro_batch(ranks, progress.path(), none, [&] { return int64_t{16} >> ranks.rank(); }), 4);
  });
  distributed::run_local_ranks(1, [&](Communicator& ranks) {
    std::vector<std::filesystem::path> none;
    EXPECT_EQ(
        fixed_micro_batch(ranks, progress.path(), none, []() -> int64_t { throw std::logic_error("not asked again"); }),
        4);
  });
}

TEST(MicroBatch, ARelativesValueIsTakenAndThoseOfOtherValuesAreNoRelatives) {
  const TemporaryFolder progress, same, other;
  pipeline::write_file(same.path() / "micro_batch.json", "{\"micro_batch\": 8}");
  pipeline::write_file(other.path() / "micro_batch.json", "{\"micro_batch\": 2}");
  std::vector<std::filesystem::path> relatives = {same.path(), other.path()};
  const auto ranks = distributed::local_world(1);
  EXPECT_EQ(fixed_micro_batch(*ranks[0], progress.path(), relatives, [] { return int64_t{4}; }), 8);
  EXPECT_THAT(relatives, ElementsAre(same.path()));
}

// A device that holds micro-batches of 4 at most.
class SmallDevice final : public HostDeviceWith {
 public:
  using HostDeviceWith::HostDeviceWith;
  std::string name() const override { return "a small GPU"; }
  Memory memory() const override { return {size_t{3} << 29, size_t{2} << 30}; }
  void gather(const GatherWork& work) override {
    if (work.count > 4) TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory");
    HostDeviceWith::gather(work);
  }
};

TEST(DeviceMemory, RunningOutNamesPeakLimitAndAValueThatWasTried) {
  const InputShape grid{8, 8, 1};
  std::vector<GridSample> samples(1);
  samples[0].id = "one", samples[0].width = samples[0].height = 8, samples[0].image.resize(64),
  samples[0].mask.resize(64);
  TrainParameters parameters;
  parameters.base_channels = 2, parameters.depth = 1, parameters.global_batch = parameters.micro_batch = 16;
  const Architecture architecture{1, 2, 1, "batch", 0};
  const TrainingShape shape{parameters, architecture, grid, Normaliser{}, samples};
  const OpenAlone open = [](Communicator& alone) -> std::unique_ptr<StepDevice> {
    return std::make_unique<SmallDevice>(alone);
  };
  EXPECT_TRUE(fits(shape, 4, open));
  EXPECT_FALSE(fits(shape, 8, open));
  const auto ranks = distributed::local_world(1);
  DeviceStep step(parameters, architecture, grid, Normaliser{}, *ranks[0], open(*ranks[0]),
                  {distributed::Reproducible::run});
  try {
    step.step(samples, {0}, 0, 0, 1e-3, false);
    FAIL();
  } catch (const DeviceMemoryError& error) {
    EXPECT_EQ(error.code(), ExitCode::environment);
    EXPECT_THAT(error.what() + what_fits_instead(shape, 1, open),
                HasSubstr("the memory of a small GPU is not enough for micro_batch = 16: it held 1.5 GiB at most, of "
                          "2.0; micro_batch = 4 fits"));
  }
}

}  // namespace
}  // namespace penstock::stages
