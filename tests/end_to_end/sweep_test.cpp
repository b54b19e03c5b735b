// A sweep as a user runs it: on groups of ranks, killed half-way, grown, shown as a table; and training longer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "workplace.h"

namespace penstock {
namespace {

using testing::HasSubstr;

const std::string twelve_runs =
    std::string(small_pipeline) +
    "[matrix.axes]\n\"train.lr\" = [1e-2, 3e-3, 1e-3]\n\"train.loss\" = [\"bce\", \"bce_dice\"]\n"
    "[matrix.seeds]\npath = \"train.seed\"\nvalues = [1, 2]\n";
constexpr const char* small_runs = " --set train.epochs=3 --set train.base_channels=2 --set eval.shown=1";

std::string on_one_rank_each(std::string config) {
  config.insert(config.find("base_channels"), "resources = { ranks = 1 }\n");
  return config;
}

size_t trained(const Workplace& place) {
  size_t count = 0;
  if (!std::filesystem::exists(place.path() / ".penstock/manifests/train")) return 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(place.path() / ".penstock/manifests/train"))
    ++count;
  return count;
}

// Runs the sweep on two ranks, and kills it when one of them begins its fourth training. Twelve trainings are never
// done then: the other goes no further either. What is there afterwards stays.
void kill_half_way(const Workplace& place) {
  Process process(
      preloaded("step_gate", "GATE_STEP=1 GATE_TIME=4") + place.program(2) + "run pipeline.toml" + small_runs,
      place.path());
  const auto at_gate = [&](const char* rank) { return std::filesystem::exists(place.path() / "at-gate-" += rank); };
  ASSERT_TRUE(wait_until([&] { return at_gate("0") || at_gate("1") || !process.running(); }));
  ASSERT_TRUE(process.running()) << process.wait().error;
  const auto ranks = children_of(process.pid());
  ::kill(-process.pid(), SIGKILL);
  process.wait();
  ASSERT_TRUE(wait_until_gone(ranks)) << "they notice that mpirun is gone";
}

// How often each stage really ran, from the records of attempts that went well.
size_t attempts_of(const Workplace& place) { return place.entries(".penstock/attempts"); }

// stage -> how many of its instances ended so.
std::map<std::string, int> count(const Ran& ran, const std::string& state) {
  std::map<std::string, int> found;
  const auto said = nlohmann::json::parse(ran.out);
  for (const auto& run : said.at("runs")) {
    for (const auto& stage : run.at("stages")) found[stage.at("stage")] += stage.at("state") == state;
  }
  return found;
}

TEST(Sweep, KilledHalfWayItRunsExactlyWhatIsMissing) {
  const Workplace place(on_one_rank_each(twelve_runs));
  ASSERT_NO_FATAL_FAILURE(kill_half_way(place));
  const size_t before = trained(place);
  ASSERT_GE(before, 3u);
  ASSERT_LE(before, 6u);
  const Ran again = place.penstock(std::string("run pipeline.toml --json") + small_runs, 2);
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_EQ(count(again, "ran").at("train"), static_cast<int>(12 - before));
  EXPECT_EQ(count(again, "hit").at("train"), static_cast<int>(before));
  EXPECT_EQ(count(again, "ran").at("unzip"), 0) << "data stages ran once in all";
  EXPECT_EQ(trained(place), 12u);
  EXPECT_EQ(attempts_of(place), 6u + 3 * 12);
  EXPECT_TRUE(std::filesystem::exists(place.path() / "runs/small/sweep.html"));
}

// Two seeds, each scored, and both together; then a picture predicted with both.
TEST(Sweep, ItsModelsBecomeAnEnsemble) {
  std::string config = std::string(small_pipeline) + "[matrix.seeds]\npath = \"train.seed\"\nvalues = [1, 2]\n" + R"(
[stage.ensemble]
inputs = { models = "train.model[*]" }
[stage.together]
uses = "eval"
inputs = { model = "ensemble.model", shards = "shard.shards", split = "split.index" }
[stage.summary]
uses = "report"
inputs = { runs = "eval.metrics[*]", model = "together.model", metrics = "together.metrics" }
)";
  config.replace(config.find("\"report\""), 8, "\"summary\"");
  const Workplace place(config);
  const Ran ran = place.penstock(std::string("run pipeline.toml") + small_runs, 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("ensemble: 2 members"));
  EXPECT_EQ(trained(place), 2u);
  const auto folder = place.path() / "runs/small";
  EXPECT_TRUE(std::filesystem::exists(folder / "report.html"));
  const auto model = nlohmann::json::parse(std::ifstream(folder / "model/model.json"));
  EXPECT_EQ(model.at("members").size(), 2u);
  EXPECT_EQ(model.at("threshold_rule"), "validation") << "chosen for both together";
  size_t alone = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!std::filesystem::exists(entry.path() / "model/model.json")) continue;
    alone += nlohmann::json::parse(std::ifstream(entry.path() / "model/model.json")).at("members").size() == 1;
  }
  EXPECT_EQ(alone, 2u) << "each run keeps its own";
  const auto dice_in = [](const std::filesystem::path& of) {
    return nlohmann::json::parse(std::ifstream(of / "metrics.json"))
        .at("validation")
        .at("native")
        .at("micro")
        .at("dice");
  };
  double mean = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (std::filesystem::exists(entry.path() / "metrics.json")) mean += dice_in(entry.path()).get<double>() / 2;
  }
  const auto listed = nlohmann::json::parse(place.penstock("runs pipeline.toml --json" + std::string(small_runs)).out);
  ASSERT_EQ(listed.at("rows").size(), 1u) << "both are replicates of one";
  const auto& metrics = listed.at("rows")[0].at("metrics").at("validation.native.micro.dice");
  EXPECT_NEAR(metrics.at("mean").get<double>(), mean, 1e-9) << "the table is of the runs, not of what is made of them";
  EXPECT_NE(mean, dice_in(folder).get<double>());
  const Ran again = place.penstock(std::string("run pipeline.toml") + small_runs, 2);
  EXPECT_THAT(again.error, HasSubstr("0 stages ran"));
}

TEST(Sweep, DecisionsOfEarlyStoppingSurviveAKill) {
  const Workplace place(on_one_rank_each(twelve_runs) +
                        "[matrix.early_stop]\nmetric = \"val_loss\"\nmin = 1\neta = 2\n");
  const auto decisions = [&] {
    std::map<std::string, nlohmann::json> all;
    for (const auto& sweep : std::filesystem::directory_iterator(place.path() / ".penstock/sweeps")) {
      if (!std::filesystem::exists(sweep.path() / "decisions")) continue;
      for (const auto& file : std::filesystem::directory_iterator(sweep.path() / "decisions"))
        all[file.path().filename()] = nlohmann::json::parse(text_of(file.path()));
    }
    return all;
  };
  ASSERT_NO_FATAL_FAILURE(kill_half_way(place));
  const auto before = decisions();
  ASSERT_FALSE(before.empty());
  const Ran again = place.penstock(std::string("run pipeline.toml --json") + small_runs, 2);
  ASSERT_EQ(again.code, 0) << again.error;
  const auto after = decisions();
  for (const auto& [run, made] : before) {
    for (size_t i = 0; i < made.size(); ++i) EXPECT_EQ(after.at(run).at(i), made.at(i)) << run;
  }
  const size_t finished = trained(place);
  EXPECT_LT(finished, 12u) << "some were given up";
  const Ran third = place.penstock(std::string("run pipeline.toml --json") + small_runs, 2);
  EXPECT_EQ(third.code, 0);
  EXPECT_EQ(count(third, "ran").at("train"), 0) << "a run that was given up is done for its sweep";
  EXPECT_EQ(trained(place), finished);
}

TEST(Sweep, GrowingASampleOnlyAddsRuns) {
  const std::string sample =
      std::string(small_pipeline) +
      "[matrix.axes]\n\"train.lr\" = { log_uniform = [1e-4, 1e-2] }\n[matrix.sample]\nseed = 7\nn = ";
  const Workplace place(sample + "2\n");
  ASSERT_EQ(place.penstock(std::string("run pipeline.toml --until train") + small_runs).code, 0);
  place.write("pipeline.toml", sample + "5\n");
  const Ran grown = place.penstock(std::string("run pipeline.toml --until train --json") + small_runs);
  ASSERT_EQ(grown.code, 0) << grown.error;
  EXPECT_EQ(count(grown, "ran").at("train"), 3);
  EXPECT_EQ(count(grown, "hit").at("train"), 2);
}

TEST(Sweep, TheTableHasMeansOverSeedsAndTheDifferenceOfTwoRuns) {
  const Workplace place(
      std::string(small_pipeline) +
      "[matrix.axes]\n\"train.lr\" = [1e-2, 1e-3]\n[matrix.seeds]\npath = \"train.seed\"\nvalues = [1, 2]\n");
  ASSERT_EQ(place.penstock(std::string("run pipeline.toml") + small_runs).code, 0);
  const Ran table = place.penstock(std::string("runs pipeline.toml --sort validation.dice") + small_runs);
  EXPECT_EQ(table.code, 0) << table.error;
  EXPECT_THAT(table.out,
              testing::AllOf(HasSubstr("train.lr"), HasSubstr("validation Dice"), HasSubstr(" ± "), HasSubstr("done")));
  const auto said = nlohmann::json::parse(place.penstock(std::string("runs pipeline.toml --json") + small_runs).out);
  const auto& rows = said.at("rows");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0).at("metrics").at("validation.grid.micro.dice").at("n"), 2);
  const std::string first = rows.at(0).at("runs").at(0), second = rows.at(1).at("runs").at(0);
  const auto diff = nlohmann::json::parse(
      place.penstock("diff pipeline.toml " + first + " " + second.substr(0, 6) + " --json" + small_runs).out);
  EXPECT_EQ(diff.at("parameters"), (nlohmann::json{{"train.lr", {1e-2, 1e-3}}}));
  EXPECT_FALSE(diff.at("metrics").empty());
}

TEST(Longer, TrainingLongerEndsWithTheWeightsOfTrainingSoFromTheStart) {
  const Workplace grown, fresh;
  ASSERT_EQ(grown.penstock("run pipeline.toml --until train --set train.epochs=2").code, 0);
  EXPECT_THAT(grown.penstock("plan pipeline.toml --until train --set train.epochs=5").out, HasSubstr("adopt  train"));
  const Ran longer = grown.penstock("run pipeline.toml --until train --set train.epochs=5 --json", 2);
  ASSERT_EQ(longer.code, 0) << longer.error;
  EXPECT_THAT(longer.error, HasSubstr("continuing from a shorter run at epoch 3"));
  ASSERT_EQ(fresh.penstock("run pipeline.toml --until train --set train.epochs=5").code, 0);
  const auto model = [](const Workplace& place) {
    return text_of(place.path() / "runs/small/model/weights.safetensors");
  };
  EXPECT_EQ(model(grown), model(fresh)) << "bit for bit, though on another number of ranks";
}

TEST(Rehearsal, GoesThroughEveryStageInSecondsAndLeavesTheStoreAlone) {
  const Workplace place(std::string(small_pipeline) +
                        "[matrix.axes]\n\"train.lr\" = [1e-2, 1e-3]\n\"train.epochs\" = [500, 900]\n");
  const Ran ran = place.penstock("run pipeline.toml --rehearse --json", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(count(ran, "ran").size(), 9u);
  for (const auto& [stage, times] : count(ran, "ran")) EXPECT_EQ(times, 1) << stage;
  EXPECT_FALSE(std::filesystem::exists(place.path() / ".penstock"));
  EXPECT_FALSE(std::filesystem::exists(place.path() / ".penstock-rehearsal"));
  EXPECT_TRUE(std::filesystem::exists(place.path() / "runs/small-rehearsal/report.html"));
}

}  // namespace
}  // namespace penstock
