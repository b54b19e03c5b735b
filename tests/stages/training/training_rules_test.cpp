// Which epoch is best, when to stop, and which checkpoint a longer run may go on from.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pipeline/files.h"
#include "stages/training/checkpoint_manifest.h"
#include "stages/training/training_rules.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

TEST(BestEpoch, IsTheFirstOfEqualsAndNeverANaN) {
  BestEpoch best(true, 1);
  EXPECT_FALSE(best.update(1, std::nan(""), false));
  EXPECT_TRUE(best.update(2, 0.5, false));
  EXPECT_FALSE(best.update(3, 0.5, false));
  EXPECT_TRUE(best.update(4, 0.6, false));
  EXPECT_EQ(best.epoch(), 4);
}

TEST(BestEpoch, IsNeverOneOfAnInfiniteFigure) {
  BestEpoch best(true, 1);
  EXPECT_FALSE(best.update(1, std::numeric_limits<double>::infinity(), false));
  EXPECT_TRUE(best.update(2, 0.5, false));
}

TEST(EarlyStopping, WaitsForItsPatienceAfterTheWarmUp) {
  EarlyStopping stopping(false, 2, 0.1, 2);
  EXPECT_FALSE(stopping.update(1, 1.0));
  EXPECT_FALSE(stopping.update(2, 1.0)) << "warm-up";
  EXPECT_FALSE(stopping.update(3, 0.95)) << "less than min_delta: one epoch waited";
  EXPECT_TRUE(stopping.update(4, 0.95));
  EXPECT_FALSE(EarlyStopping(false, 0, 0, 0).update(100, 5.0)) << "patience 0 never stops";
}

pipeline::Value row_of(int64_t epoch, double validation_loss) {
  return {{"epoch", epoch}, {"train", {{"loss", 1.0}}}, {"validation", {{"loss", validation_loss}}}};
}

// A progress folder with one checkpoint at the end of `losses`.
void keep(const std::filesystem::path& folder, const std::vector<double>& losses, const TrainParameters& by) {
  CheckpointManifest manifest;
  TrainingRules rules(by);
  for (const double loss : losses) {
    ++manifest.epoch;
    manifest.epochs.push_back(row_of(manifest.epoch, loss));
    rules.update(manifest.epoch, manifest.epochs.back());
  }
  manifest.step = manifest.epoch * 10;
  manifest.best_epoch = rules.best().epoch();
  pipeline::write_file(manifest_file(folder, manifest.step), manifest.to_text());
}

TrainParameters of_epochs(int64_t epochs, int64_t patience = 0, int64_t every = 1) {
  TrainParameters parameters;
  parameters.epochs = epochs;
  parameters.stop_patience = patience;
  parameters.every = every;
  return parameters;
}

struct Adopted {
  int64_t epoch = 0;  // 0: nothing
  std::string refusal;
};
Adopted adopt(const std::filesystem::path& folder, const TrainParameters& parameters) {
  Adopted adopted;
  const auto found = adoptable_checkpoints(parameters, {folder}, &adopted.refusal);
  if (!found.empty()) adopted.epoch = found.front().manifest.epoch;
  return adopted;
}

TEST(Figures, OfValidationAreNoneWithoutASubset) {
  const pipeline::Value row = {{"epoch", 1}, {"train", {{"loss", 0.25}}}, {"validation", nullptr}};
  EXPECT_EQ(figure_of("loss", row), 0.25);
  EXPECT_TRUE(std::isnan(figure_of("val_loss", row))) << "train does not stand in";
}

TEST(Figures, OfAnEpochWithoutAStepAreNone) {
  const pipeline::Value row = {{"epoch", 1}, {"train", {{"loss", nullptr}}}, {"validation", nullptr}};
  EXPECT_TRUE(std::isnan(figure_of("loss", row)));
}

TEST(TrainingRules, WithoutValidationNoEpochIsBestAndNothingStops) {
  TrainParameters parameters;
  parameters.stop_patience = 2;
  TrainingRules rules(parameters);
  for (int64_t epoch = 1; epoch <= 9; ++epoch) {
    const auto decision = rules.update(epoch, {{"epoch", epoch}, {"train", {{"loss", 1.0}}}, {"validation", nullptr}});
    EXPECT_FALSE(decision.best);
    EXPECT_FALSE(decision.stop);
  }
}

TEST(TrainingRules, AFigureThatWasAskedForButIsNotFiniteStillCountsAsWaiting) {
  TrainParameters parameters;
  parameters.stop_patience = 2;
  TrainingRules rules(parameters);
  const auto row = [](int64_t epoch) -> pipeline::Value {
    return {{"epoch", epoch}, {"train", {{"loss", 1.0}}}, {"validation", {{"loss", nullptr}}}};
  };
  EXPECT_FALSE(rules.update(1, row(1)).stop);
  EXPECT_TRUE(rules.update(2, row(2)).stop);
}

TrainParameters with_plateaus() {
  TrainParameters parameters;
  parameters.schedule = "plateau";
  parameters.plateau_factor = 0.5, parameters.plateau_patience = 2, parameters.plateau_min_delta = 0.1;
  return parameters;
}

TEST(Plateau, EachOneMultipliesTheLearningRate) {
  TrainingRules rules(with_plateaus());
  std::vector<double> factors;
  int64_t epoch = 0;
  for (const double loss : {1.0, 0.95, 0.5, 0.45, 0.6, 0.45, 0.45, 0.1, 0.1, 0.1}) {
    ++epoch;
    rules.update(epoch, row_of(epoch, loss));
    factors.push_back(rules.rate_factor());
  }
  EXPECT_EQ(factors, (std::vector<double>{1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125}));
}

TEST(Plateau, ThereIsNoneWithAnotherScheduleOrWithoutTheFigureThatIsWatched) {
  TrainParameters constant = with_plateaus();
  constant.schedule = "constant";
  TrainingRules of_constant(constant), without(with_plateaus());
  for (int64_t epoch = 1; epoch <= 9; ++epoch) {
    of_constant.update(epoch, row_of(epoch, 1));
    without.update(epoch, {{"epoch", epoch}, {"train", {{"loss", 1.0}}}, {"validation", nullptr}});
  }
  EXPECT_EQ(of_constant.rate_factor(), 1);
  EXPECT_EQ(without.rate_factor(), 1);
}

TEST(Plateau, AResumedTrainingKnowsThoseBefore) {
  pipeline::Value rows = pipeline::Value::array();
  TrainingRules rules(with_plateaus());
  for (int64_t epoch = 1; epoch <= 6; ++epoch) {
    rows.push_back(row_of(epoch, 1));
    rules.update(epoch, rows.back());
  }
  TrainingRules resumed(with_plateaus());
  bool stopped = false;
  resumed.replay(rows, &stopped);
  EXPECT_EQ(resumed.rate_factor(), rules.rate_factor());
  EXPECT_LT(resumed.rate_factor(), 1);
}

TEST(Adoption, ALongerRunContinuesFromTheEndOfAShorterOne) {
  const TemporaryFolder folder;
  keep(folder.path(), {3, 2, 1}, of_epochs(3));
  EXPECT_EQ(adopt(folder.path(), of_epochs(8)).epoch, 3);
}

TEST(Adoption, NothingBeyondTheOwnEndIsTaken) {
  const TemporaryFolder folder;
  keep(folder.path(), {3, 2, 1, 1}, of_epochs(4));
  EXPECT_EQ(adopt(folder.path(), of_epochs(3)).epoch, 0);
  EXPECT_NE(adopt(folder.path(), of_epochs(3)).refusal.find("beyond epoch 3"), std::string::npos);
}

TEST(Adoption, MorePatienceContinuesFromWhereLessStopped) {
  const TemporaryFolder folder;
  keep(folder.path(), {1, 2, 2}, of_epochs(9, 2));
  EXPECT_EQ(adopt(folder.path(), of_epochs(9, 4)).epoch, 3);
}

TEST(Adoption, LessPatienceWouldHaveStoppedBefore) {
  const TemporaryFolder folder;
  keep(folder.path(), {1, 2, 2, 2, 2}, of_epochs(9, 4));
  EXPECT_EQ(adopt(folder.path(), of_epochs(9, 2)).epoch, 0);
  EXPECT_NE(adopt(folder.path(), of_epochs(9, 2)).refusal.find("early stopping"), std::string::npos);
}

TEST(Adoption, ABestEpochThatOnlyTheEndBroughtIsNotTaken) {
  const TemporaryFolder folder;
  keep(folder.path(), {3, 2, 1}, of_epochs(3, 0, 2));  // compared at 2 and, being the last, at 3
  EXPECT_EQ(adopt(folder.path(), of_epochs(8, 0, 2)).epoch, 0);
  EXPECT_NE(adopt(folder.path(), of_epochs(8, 0, 2)).refusal.find("best"), std::string::npos);
}

TEST(Adoption, HalfAManifestIsPassedOver) {
  const TemporaryFolder folder;
  keep(folder.path(), {3, 2}, of_epochs(2));
  pipeline::write_file(manifest_file(folder.path(), 30), "{\"step\": 30, ");
  EXPECT_EQ(adopt(folder.path(), of_epochs(8)).epoch, 2);
}

}  // namespace
}  // namespace penstock::stages
