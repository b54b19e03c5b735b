// Samples at their own size, from the archive to a trained model: the same bits at any rank count, and after a kill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "training_job.h"

namespace penstock {
namespace {

using testing::HasSubstr;

// The small pipeline without a grid: pictures of 128 to 256 pixels a side, made smaller, in crops of 32, up to the
// model.
std::string native_pipeline(const std::string& size = "mode = \"native\"\nscale = 0.5") {
  std::string text =
      changed_pipeline({{"targets = [\"report\"]", "targets = [\"train\", \"inspect\"]"},
                        {"count = 96", "count = 24"},
                        {"width = 32\nheight = 32", size},
                        {"epochs = 4", "epochs = 2\ncrop = 32\nforeground = 0.3\ntargets = [\"mask\", \"border\"]"}});
  text.erase(text.find("[stage.eval]"));
  return text;
}

std::map<std::string, std::string> published_by(int ranks) {
  const Workplace place(native_pipeline());
  const Ran ran = place.penstock("run pipeline.toml", ranks);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("crops of 32 x 32 an epoch"));
  return place.published();
}

TEST(Native, OneTwoAndThreeRanksTrainTheSameModel) {
  const auto one = published_by(1);
  EXPECT_TRUE(one.count("train.model") && one.count("shard.shards") && one.count("inspect.gallery"));
  EXPECT_EQ(one, published_by(2));
  EXPECT_EQ(one, published_by(3));
}

TEST(Native, AKilledTrainingEndsWithTheModelOfAnUnbrokenOne) {
  const auto prepare = [](const Workplace& place) {
    place.write("pipeline.toml", native_pipeline());
    EXPECT_EQ(place.penstock("run pipeline.toml --until split", 2).code, 0);
  };
  const char* flags = "run pipeline.toml --set train.checkpoint_seconds=0";
  const TrainingPlace unbroken, broken;
  prepare(unbroken);
  prepare(broken);
  EXPECT_EQ(unbroken.penstock(flags, 2).code, 0);
  {
    Process job("export PENSTOCK_WATCHDOG=600; " + gate_at(20) + broken.program(2) + flags, broken.path());
    ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(broken.path() / "at-gate-0") || !job.running(); }));
    const pid_t victim = process_of_rank(job, 1);
    ASSERT_GT(victim, 0);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    EXPECT_EQ(job.wait().code, 128 + SIGKILL);
  }
  const Ran resumed = broken.penstock(flags, 3);
  EXPECT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_THAT(resumed.error, HasSubstr("resuming at"));
  EXPECT_EQ(broken.published(), unbroken.published());
}

// The archive that synthesize made.
std::filesystem::path made_archive(const Workplace& place) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().extension() == ".zip") return entry.path();
  }
  ADD_FAILURE() << "no archive";
  return {};
}

// Two outputs, objects from seeds, rules that are chosen on validation, and tiles looked at in all ways.
void expect_predict_says_what_eval_says(std::string text) {
  text.replace(text.find("[\"train\", \"inspect\"]"), 20, "[\"eval\"]");
  text +=
      "[stage.eval]\ninputs = { model = \"train.model\", shards = \"shard.shards\", split = \"split.index\" }\n"
      "minimum_area = \"validation\"\nholes = \"fill\"\nturns = \"all\"\ntile = 96\n";
  const Workplace place(text);
  const Ran ran = place.penstock("run pipeline.toml --set train.epochs=6", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto evaluated = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_EQ(evaluated.at("instances").at("decoder"), "watershed");
  EXPECT_TRUE(evaluated.at("instances").contains("seed_threshold"));
  EXPECT_EQ(evaluated.at("instances").at("holes"), "fill");
  const Ran again = place.penstock("predict runs/small '" + made_archive(place).string() + "' --output predicted", 3);
  ASSERT_EQ(again.code, 0) << again.error;
  const auto all = nlohmann::json::parse(text_of(place.path() / "predicted/metrics.json")).at("all").at("native");
  for (const char* figure : {"objects_true", "objects_predicted", "missed", "extra"}) {
    int64_t sum = 0;
    for (const char* subset : {"train", "validation", "test"})
      sum += evaluated.at(subset).at("native").at(figure).get<int64_t>();
    EXPECT_EQ(all.at(figure), sum) << figure;
  }
  EXPECT_GT(all.at("objects_predicted").get<int64_t>(), 0);
}

TEST(Native, PredictSaysOfAPictureWhatEvalSaidOfIt) { expect_predict_says_what_eval_says(native_pipeline()); }

TEST(Native, PredictSaysOfAPictureThatWasMadeToFitWhatEvalSaidOfIt) {
  expect_predict_says_what_eval_says(native_pipeline("mode = \"fit\"\nwidth = 96\nheight = 64"));
}

// What is planned of the steps is what is trained.
TEST(Native, ThePlanCountsTheCropsThatTrainingTakes) {
  const Workplace place(native_pipeline());
  EXPECT_THAT(place.penstock("plan pipeline.toml --world 2").out, HasSubstr("samples keep their own size"));
  ASSERT_EQ(place.penstock("run pipeline.toml --set train.epochs=1", 2).code, 0);
  const Ran ran = place.penstock("plan pipeline.toml --json --world 2 --set train.epochs=1");
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto planned = nlohmann::json::parse(ran.out).at("world").at("trainings").at(0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().filename() != "curves.json") continue;
    const auto curves = nlohmann::json::parse(text_of(entry.path()));
    EXPECT_EQ(planned.at("steps_per_epoch"), curves.at("steps_per_epoch"));
    EXPECT_GT(curves.at("steps_per_epoch").get<int>(), 8) << "more crops than the 14 samples would give";
  }
  EXPECT_THAT(planned.at("samples_from").get<std::string>(), HasSubstr("crops of the"));
}

}  // namespace
}  // namespace penstock
