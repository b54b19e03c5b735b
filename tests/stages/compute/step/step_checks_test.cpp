// Mistakes of a programmer at the border of the training step: each fails a check instead of training on garbage. And
// the tables of compute/ hold the rows that the parameters name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/local_communicator.h"
#include "expect_check.h"
#include "stages/compute/model/norm_layer.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/losses.h"
#include "stages/compute/step/small_training.h"
#include "stages/training/losses.h"
#include "stages/training/name_table.h"
#include "stages/training/norms.h"

namespace penstock::stages {
namespace {

TEST(ComputeTables, HoldWhatParametersName) {
  EXPECT_EQ(names_of(losses()), names_of(loss_rules()));
  EXPECT_EQ(names_of(norm_makers()), names_of(norm_rules()));
  EXPECT_EQ(names_of(network_makers()), names_of(network_rules()));
}

TEST(ComputeTables, AnUnknownLossFailsACheck) {
  expect_check([] { loss_function("jaccard"); }, "there is no loss 'jaccard'; known are bce, bce_dice");
}

TEST(FlatLayout, StatesWhatItsModulesAre) {
  const FlatLayout layout = layout_of(*make_network({3, 4, 1, "batch", 0}));
  for (const auto& slot : layout.parameters) {
    if (slot.name == "down0_conv1.weight") {
      EXPECT_EQ(slot.fan_in, 3 * 9);
    }
    if (slot.name == "up0.weight") {
      EXPECT_EQ(slot.fan_in, 8) << "an output pixel takes one value of each channel";
    }
    EXPECT_EQ(slot.keeps_float32, slot.name.find("_norm") != std::string::npos) << slot.name;
    EXPECT_EQ(slot.start, slot.name.find("_norm") != std::string::npos && slot.name.ends_with(".weight")) << slot.name;
  }
}

TEST(FlatLayout, OfAnotherArchitectureFailsACheck) {
  const FlatLayout layout = layout_of(*make_network({3, 4, 1, "batch", 0}));
  std::vector<float> parameters, statistics;
  initialise(layout, 1, parameters, statistics);
  const auto other = make_network({3, 4, 2, "batch", 0});
  expect_check([&] { alias(*other, layout, parameters.data(), statistics.data()); }, "network of its architecture");
}

TEST(TrainingChecks, AStateOfAnotherNetworkIsNotLoaded) {
  const auto ranks = distributed::local_world(1);
  HostStep step(tiny(), architecture_of(tiny(), 3), grid, Normaliser{}, *ranks[0], 1, {});
  StepState state = step.state();
  state.weights.parameters.pop_back();
  expect_check([&] { step.load(state); }, "weights are of the network");
  state = step.state();
  state.second.clear();
  expect_check([&] { step.load(state); }, "moments are of the optimiser: 2 arrays");
  state = step.state();
  state.averaged = state.weights;
  expect_check([&] { step.load(state); }, "averaged weights only where train.ema keeps them");
}

TEST(TrainingChecks, AStepNeedsAnOrderOfItsSamples) {
  const auto ranks = distributed::local_world(1);
  HostStep step(tiny(), architecture_of(tiny(), 3), grid, Normaliser{}, *ranks[0], 1, {});
  const auto samples = some_samples(8);
  expect_check([&] { step.step(samples, {}, 0, 0, 1e-3, false); }, "from the epoch's order");
  expect_check([&] { step.step(samples, {8}, 0, 0, 1e-3, false); }, "crops of the epoch");
}

TEST(TrainingChecks, ASampleWithoutAMaskIsNotTrainedOn) {
  std::vector<GridSample> samples = some_samples(1);
  samples[0].mask.clear();
  expect_check([&] { StepSamples(samples, grid, Normaliser{}); }, "sample 'sample 0' has an image and");
}

TEST(TrainingChecks, ABatchHasARowForEachSample) {
  const std::vector<GridSample> samples = some_samples(2);
  Batch batch = make_batch(1, grid);
  const StepSamples data(samples, grid, Normaliser{});
  expect_check([&] { fill_batch(batch, data, tiles_of(samples, grid)); }, "a row for each sample");
}

TEST(TrainingChecks, AMicroShardLiesWithinItsStep) {
  expect_check([] { micro_shard({0, 1, 2, 3}, 0, 2, 8, 4); }, "a micro-shard lies within its step");
}

TEST(TrainingChecks, AnImageIsOfASizeThatTheNetworkCanHalve) {
  const auto network = make_network({3, 4, 2, "batch", 0});
  expect_check([&] { (*network)(torch::zeros({1, 3, 8, 10})); }, "not 1 x 3 x 8 x 10");
}

}  // namespace
}  // namespace penstock::stages
