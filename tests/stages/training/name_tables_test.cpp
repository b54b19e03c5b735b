// The tables whose rows train's parameters name: an unknown name never falls through to another row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "distributed/error.h"
#include "expect_check.h"
#include "stages/kinds.h"
#include "stages/training/augmentations.h"
#include "stages/training/balances.h"
#include "stages/training/losses.h"
#include "stages/training/name_table.h"
#include "stages/training/normalisations.h"
#include "stages/training/norms.h"
#include "stages/training/optimisers.h"
#include "stages/training/precisions.h"
#include "stages/training/schedules.h"
#include "stages/training/train_parameters.h"
#include "stages/training/upsamplings.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;

TEST(NameTables, AnUnknownNormFailsACheck) {
  expect_check([] { norm_rule("layer"); }, "there is no norm 'layer'; known are batch, sync, group, none");
}
TEST(NameTables, AnUnknownOptimizerFailsACheck) {
  expect_check([] { optimiser_rule("lion"); }, "there is no optimizer 'lion'; known are adamw, adam, sgd");
}
TEST(NameTables, AnUnknownScheduleFailsACheck) {
  expect_check([] { schedule_rule("step"); }, "there is no schedule 'step'; known are constant, cosine, poly");
}
TEST(NameTables, AnUnknownAugmentationFailsACheck) {
  expect_check([] { augmentation_of({"flip", "rot45"}); }, "there is no augmentation 'rot45'; known are flip, rot90");
}
TEST(NameTables, AnUnknownBalanceFailsACheck) {
  expect_check([] { balance_rule("size"); }, "there is no balance 'size'; known are none, look");
}
TEST(NameTables, AnUnknownPrecisionFailsACheck) {
  expect_check([] { precision_rule("fp16"); }, "there is no precision 'fp16'; known are fp32, bf16, auto");
}
TEST(NameTables, AnUnknownNormalisationFailsACheck) {
  expect_check([] { normalisation_rule("minmax"); }, "there is no normalisation 'minmax'");
}
TEST(NameTables, AnUnknownNetworkFailsACheck) {
  Architecture architecture;
  architecture.kind = "resnet";
  expect_check([&] { layers_of(architecture, 64, 64); }, "there is no network 'resnet'; known are unet");
}

TEST(NameTables, ANameFromOutsideThatIsUnknownIsAFaultOfTheData) {
  Architecture architecture;
  architecture.norm = "layer";
  try {
    architecture_from_json(to_json(architecture));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("norm 'layer' is not known"));
  }
}

TEST(NameTables, ChoicesOfParametersAreTheRowsOfTheirTables) {
  const std::map<std::string, std::vector<std::string>> tables = {
      {"norm", names_of(norm_rules())},           {"upsampling", names_of(upsampling_rules())},
      {"optimizer", names_of(optimiser_rules())}, {"schedule", names_of(schedule_rules())},
      {"loss", names_of(loss_rules())},           {"precision", names_of(precision_rules())},
      {"balance", names_of(balance_rules())},     {"augment", names_of(augmentation_rules())},
      {"normalise", normalise_choices()}};
  size_t seen = 0;
  for (const auto& specification : pipeline::specifications_of<TrainParameters>()) {
    const auto table = tables.find(specification.name);
    if (table == tables.end()) continue;
    ++seen;
    EXPECT_EQ(specification.about.choices, table->second) << specification.name;
  }
  EXPECT_EQ(seen, tables.size());
}

TEST(NameTables, TheDefaultsOfTrainAreRows) {
  const TrainParameters parameters;
  norm_rule(parameters.norm), optimiser_rule(parameters.optimizer), schedule_rule(parameters.schedule);
  precision_rule(parameters.precision), normalisation_rule(parameters.normalise), augmentation_of(parameters.augment);
  balance_rule(parameters.balance);
}

TEST(Schedules, CosineFallsFromTheLearningRateToNothing) {
  const ScheduleRule& cosine = schedule_rule("cosine");
  EXPECT_EQ(cosine.learning_rate(0.1, 0), 0.1);
  EXPECT_NEAR(cosine.learning_rate(0.1, 0.5), 0.05, 1e-12);
  EXPECT_NEAR(cosine.learning_rate(0.1, 1), 0, 1e-12);
  EXPECT_EQ(schedule_rule("constant").learning_rate(0.1, 0.7), 0.1);
}

TEST(Schedules, PolyFallsAsAPowerOfWhatIsLeftAndDependsOnTheEnd) {
  const ScheduleRule& poly = schedule_rule("poly");
  EXPECT_EQ(poly.learning_rate(0.1, 0), 0.1);
  EXPECT_NEAR(poly.learning_rate(0.1, 0.5), 0.1 * std::pow(0.5, 0.9), 1e-15);
  EXPECT_EQ(poly.learning_rate(0.1, 1), 0);
  EXPECT_TRUE(poly.depends_on_end);
}

TEST(Schedules, AWarmUpGrowsByEqualStepsToAllOfTheRate) {
  for (int64_t step = 0; step < 6; ++step)
    EXPECT_DOUBLE_EQ(warm_up_factor(1.5, step, 4), static_cast<double>(step + 1) / 6) << step;
  EXPECT_EQ(warm_up_factor(1.5, 5, 4), 1);
  EXPECT_EQ(warm_up_factor(1.5, 1000, 4), 1);
  EXPECT_EQ(warm_up_factor(0, 0, 4), 1) << "none";
}

// Training is a function of where it stands: a longer run of the same warm-up passes through the same rates.
TEST(Schedules, AWarmUpLeavesTheEndToTheSchedule) {
  for (const bool warm : {false, true}) {
    const pipeline::StageTable table = stage_table();
    const auto ends = pipeline::find_kind(table, "train")->ends;
    const auto of = [&](const char* schedule) {
      const auto names = ends({{"schedule", schedule}, {"warm_up", warm ? 2.0 : 0.0}});
      return std::find(names.begin(), names.end(), "epochs") != names.end();
    };
    EXPECT_TRUE(of("constant"));
    EXPECT_FALSE(of("cosine"));
    EXPECT_FALSE(of("poly"));
  }
}

TEST(TrainParameters, ResolvingFixesTheMicroBatch) {
  EXPECT_EQ(train_parameters_of({{"global_batch", 6}, {"micro_batch", "auto"}}).micro_batch, 3);
  EXPECT_TRUE(train_parameters_of({{"micro_batch", "auto"}}).chooses_micro_batch());
  EXPECT_EQ(train_parameters_of({{"global_batch", 6}, {"micro_batch", 2}}).micro_batch, 2);
}

}  // namespace
}  // namespace penstock::stages
