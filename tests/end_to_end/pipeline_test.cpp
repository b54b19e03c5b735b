// The whole pipeline as a user runs it: what is done again after a change, and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/files.h"
#include "stages/draws.h"
#include "stages/images/png_codec.h"
#include "workplace.h"

namespace penstock {
namespace {

using testing::_;
using testing::Each;
using testing::IsSupersetOf;
using testing::Pair;

std::set<std::string> with_state(const std::map<std::string, std::string>& states, const std::string& state) {
  std::set<std::string> names;
  for (const auto& [name, its] : states) {
    if (its == state) names.insert(name);
  }
  return names;
}

TEST(Pipeline, OneCommandGivesAReportAModelAndMetrics) {
  Workplace place;
  const Ran ran = place.penstock("run pipeline.toml", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  for (const char* name : {"report.html", "metrics.json", "metrics.csv", "model/model.json",
                           "model/weights.safetensors", "events.jsonl", "log/rank-0.log", "log/rank-1.log"}) {
    EXPECT_TRUE(std::filesystem::exists(place.path() / "runs/small" / name)) << name;
  }
  const auto metrics = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_GT(metrics.at("validation").at("grid").at("micro").at("dice").get<double>(), 0.2);
  EXPECT_EQ(place.entries(".penstock/staging"), 0u);
}

TEST(Pipeline, RunningAgainRunsNothing) {
  Workplace place;
  ASSERT_THAT(place.states(), Each(Pair(_, "ran")));
  EXPECT_THAT(place.states(), Each(Pair(_, "hit")));
  EXPECT_THAT(place.penstock("plan pipeline.toml --count").out, testing::StartsWith("0 of "));
}

TEST(Pipeline, ChangingTheLearningRateRunsOnlyTrainEvalAndReport) {
  Workplace place;
  ASSERT_THAT(place.states(), Each(Pair(_, "ran")));
  const auto states = place.states("--set train.lr=1e-3");
  EXPECT_EQ(with_state(states, "ran"), (std::set<std::string>{"train", "eval", "report"}))
      << testing::PrintToString(states);
}

TEST(Pipeline, OneTwoAndThreeRanksPublishTheSameBytes) {
  std::map<int, std::map<std::string, std::string>> published;
  for (const int ranks : {1, 2, 3}) {
    Workplace place;
    const Ran ran = place.penstock("run pipeline.toml", ranks);
    ASSERT_EQ(ran.code, 0) << ran.error;
    published[ranks] = place.published();
  }
  EXPECT_THAT(published[1], IsSupersetOf({Pair("unzip.images", _), Pair("eval.metrics", _)}));
  EXPECT_EQ(published[1], published[2]);
  EXPECT_EQ(published[1], published[3]);
}

// Leaves one mask of the first sample out.
constexpr const char* change_one_sample = R"(python3 - <<'PY'
import zipfile
old = zipfile.ZipFile('archive.zip')
dropped = sorted(name for name in old.namelist() if '/masks/' in name and name.endswith('.png'))[0]
with zipfile.ZipFile('changed.zip', 'w', zipfile.ZIP_DEFLATED) as new:
    for entry in old.infolist():
        if entry.filename != dropped:
            new.writestr(entry, old.read(entry.filename))
PY)";

TEST(Pipeline, ChangingOneSampleRedoesOneBucketOfEachDataStage) {
  Workplace place;
  ASSERT_THAT(place.states("--until synthesize"), Each(Pair(_, "ran")));
  place.take_archive("archive.zip");
  ASSERT_EQ(run(std::string(change_one_sample) + "\n", place.path()).code, 0);
  ASSERT_EQ(place.penstock("run pipeline.toml --until resize --input unzip.archive=archive.zip").code, 0);
  const size_t before = place.entries(".penstock/chunks");
  ASSERT_GE(before, 8u) << "96 samples lie in four buckets, of unzip and of resize";
  const Ran again = place.penstock("run pipeline.toml --until resize --input unzip.archive=changed.zip");
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_EQ(place.entries(".penstock/chunks"), before + 2) << again.error;
}

TEST(Pipeline, ThePlanOfAFreshPipelineRunsEveryStage) {
  Workplace place;
  EXPECT_EQ(place.penstock("validate pipeline.toml").code, 0);
  const Ran plan = place.penstock("plan pipeline.toml --json");
  ASSERT_EQ(plan.code, 0) << plan.error;
  const auto said = nlohmann::json::parse(plan.out);
  EXPECT_EQ(said.at("stages").size(), 9u);
  for (const auto& stage : said.at("stages")) EXPECT_EQ(stage.at("state"), "run");
  EXPECT_FALSE(std::filesystem::exists(place.path() / ".penstock")) << "a plan leaves nothing behind";
}

TEST(Pipeline, ImagesWithoutMasksArePredictedAndShownButNeverScored) {
  Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --set synthesize.unlabelled=0.3 --set train.epochs=1", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto metrics = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  int scored = 0;
  for (const char* subset : {"train", "validation", "test"}) scored += metrics.at(subset).at("images").get<int>();
  EXPECT_LT(scored, 85);
  EXPECT_GT(scored, 45);
  EXPECT_FALSE(metrics.contains("unlabelled"));
  EXPECT_THAT(text_of(place.path() / "runs/small/report.html"), testing::HasSubstr("Without masks"));
}

TEST(Pipeline, EvalScoresTheSubsetsThatItIsGivenAndNeverNone) {
  Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --set 'eval.subsets=[\"test\"]'", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto metrics = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_TRUE(metrics.contains("test"));
  EXPECT_FALSE(metrics.contains("train") || metrics.contains("validation"));
  const Ran none = place.penstock("run pipeline.toml --set split.test=0 --set 'eval.subsets=[\"test\"]'");
  EXPECT_EQ(none.code, 65) << none.error;
  EXPECT_THAT(none.error, testing::HasSubstr("eval.subsets names test, and split has no sample there"));
}

// Pictures of some bright squares; of 8 of 24 there is a copy.
void write_pictures_and_copies(const std::filesystem::path& folder) {
  constexpr int side = 48;
  for (int number = 0; number < 32; ++number) {
    const stages::Draws draws(number % 24, "squares");
    stages::Image picture{side, side, 1, 8, {}}, mask = picture;
    for (uint64_t i = 0; i < side * side; ++i) picture.bytes.push_back(static_cast<uint8_t>(20 + draws.below(i, 30)));
    mask.bytes.resize(side * side);
    for (uint64_t square = 0; square < 4; ++square) {
      const size_t y = 2 + draws.below(3000 + square, 36), x = 2 + 11 * square;
      for (size_t row = y; row < y + 8; ++row) {
        std::fill_n(&picture.bytes[row * side + x], 8, static_cast<uint8_t>(180 + 10 * square));
        std::fill_n(&mask.bytes[row * side + x], 8, uint8_t{255});
      }
    }
    const std::string name = std::to_string(number) + ".png";
    pipeline::write_file(folder / "images" / name, stages::encode_png(picture));
    pipeline::write_file(folder / "masks" / name, stages::encode_png(mask));
  }
}

TEST(Pipeline, EvalScoresImagesWithACopyInAnotherSubsetBesideTheOthers) {
  Workplace place(changed_pipeline(
      {{"[stage.synthesize]\ncount = 96\nseed = 5\n", ""}, {"\"synthesize.archive\"", "\"file:set\""}}));
  write_pictures_and_copies(place.path() / "set");
  const Ran ran = place.penstock("run pipeline.toml --set train.epochs=1");
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, testing::HasSubstr("in another subset"));
  const auto metrics = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_FALSE(metrics.at("train").contains("relatives"));
  int with = 0;
  for (const char* subset : {"validation", "test"}) {
    int images = 0;
    for (const auto& part : metrics.at(subset).at("relatives")) images += part.at("images").get<int>();
    EXPECT_EQ(images, metrics.at(subset).at("images")) << subset;
    if (metrics.at(subset).at("relatives").contains("with"))
      with += metrics.at(subset).at("relatives").at("with").at("images").get<int>();
  }
  EXPECT_GT(with, 0);
  EXPECT_THAT(text_of(place.path() / "runs/small/report.html"), testing::HasSubstr("a relative in another subset"));
  const Ran together = place.penstock("run pipeline.toml --set train.epochs=1 --set split.by=group");
  ASSERT_EQ(together.code, 0) << together.error;
  const auto kept = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_FALSE(kept.at("test").contains("relatives")) << "none is apart from its copy";
}

TEST(Pipeline, AMatrixSharesItsDataStages) {
  Workplace place(std::string(small_pipeline) + "[matrix.axes]\n\"train.lr\" = [1e-3, 3e-3]\n");
  const Ran ran = place.penstock("run pipeline.toml --set train.epochs=1 --json", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto said = nlohmann::json::parse(ran.out);
  ASSERT_EQ(said.at("runs").size(), 2u);
  for (const auto& one : said.at("runs")) {
    EXPECT_TRUE(std::filesystem::exists(place.path() / one.at("folder").get<std::string>() / "report.html"));
  }
  EXPECT_EQ(place.entries(".penstock/actions"), 6u + 2 * 3);
}

}  // namespace
}  // namespace penstock
