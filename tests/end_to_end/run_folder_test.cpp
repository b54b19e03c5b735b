// runs/<pipeline>/, what people read: it is whole after every invocation, and one configuration's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

// File below the folder -> a digest of its bytes, but for logs and events, which grow, and the report, which tells of
// its own run.
std::map<std::string, std::string> results_in(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (!entry.is_regular_file() || name.starts_with("log/") || entry.path().filename() == "events.jsonl") continue;
    found[name] = entry.path().extension() == ".html" || name.ends_with("run.json")
                      ? ""
                      : std::to_string(std::hash<std::string>()(text_of(entry.path())));
  }
  return found;
}

constexpr const char* quick = "run pipeline.toml --set train.epochs=1 --set eval.shown=1";

TEST(RunFolder, WhatWasDeletedOrDamagedComesBackAlthoughAllIsCached) {
  const Workplace place;
  ASSERT_EQ(place.penstock(quick).code, 0);
  const fs::path folder = place.path() / "runs/small";
  const auto before = results_in(folder);
  ASSERT_TRUE(before.count("report.html"));
  EXPECT_EQ(place.penstock(quick).error.find("written again"), std::string::npos);

  fs::remove(folder / "report.html");
  place.write("runs/small/model/weights.safetensors", "");
  std::string metrics = text_of(folder / "metrics.csv");
  metrics[metrics.size() / 2] ^= 1;
  place.write("runs/small/metrics.csv", metrics);
  const Ran again = place.penstock(quick);
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_THAT(again.error, AllOf(HasSubstr("0 stages ran"), HasSubstr("metrics.csv"), HasSubstr("report.html"),
                                 HasSubstr("model/weights.safetensors")));
  EXPECT_EQ(results_in(folder), before);
  EXPECT_GT(fs::file_size(folder / "report.html"), 10000u);

  fs::remove_all(folder);
  ASSERT_EQ(place.penstock(quick).code, 0);
  EXPECT_EQ(results_in(folder), before);
}

TEST(RunFolder, ADamagedOutputInTheStoreIsNotCopiedButRebuilt) {
  const Workplace place;
  ASSERT_EQ(place.penstock(quick).code, 0);
  const auto before = results_in(place.path() / "runs/small");
  fs::remove_all(place.path() / "runs/small");
  const std::string model = place.published().at("eval.model");
  place.write(".penstock/objects/" + model + "/files/weights.safetensors", "damaged");
  const Ran again = place.penstock(quick);
  EXPECT_THAT(again.error, HasSubstr("the store's model of stage 'eval' is damaged"));
  EXPECT_FALSE(fs::exists(place.path() / "runs/small/model"));
  EXPECT_THAT(place.penstock(quick).error, HasSubstr("--force=eval' rebuilds it")) << "as long as it is missing";
  const Ran rebuilt = place.penstock(std::string(quick) + " --force=eval");
  ASSERT_EQ(rebuilt.code, 0) << rebuilt.error;
  EXPECT_EQ(results_in(place.path() / "runs/small"), before);
}

TEST(RunFolder, TheRunsOfAMatrixComeBackToo) {
  const Workplace place(std::string(small_pipeline) + "[matrix.axes]\n\"train.lr\" = [1e-3, 3e-3]\n");
  ASSERT_EQ(place.penstock(quick).code, 0);
  const auto before = results_in(place.path() / "runs/small");
  for (const auto& entry : fs::directory_iterator(place.path() / "runs/small")) {
    if (!fs::exists(entry.path() / "model")) continue;
    fs::remove_all(entry.path() / "model");
    fs::remove(entry.path() / "metrics.json");
  }
  fs::remove(place.path() / "runs/small/sweep.html");
  ASSERT_EQ(place.penstock(quick).code, 0);
  EXPECT_EQ(results_in(place.path() / "runs/small"), before);
}

constexpr const char* data_only = " --until unzip";

TEST(RunFolder, AnotherConfigurationOfTheSameNameIsRefusedBeforeAnythingRuns) {
  const Workplace place;
  place.write("other.toml", std::string(small_pipeline));
  ASSERT_EQ(place.penstock(std::string("run pipeline.toml") + data_only).code, 0);
  const auto before = results_in(place.path() / "runs/small");
  const Ran refused = place.penstock(std::string("run other.toml --set synthesize.seed=6") + data_only, 2);
  EXPECT_EQ(refused.code, 73);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("runs/small holds the results of pipeline.toml"), HasSubstr("other.toml"),
                                   HasSubstr("`name` under [pipeline]")));
  EXPECT_EQ(results_in(place.path() / "runs/small"), before);
  EXPECT_EQ(place.entries(".penstock/attempts"), 2u) << "synthesize and unzip of the first";
  EXPECT_EQ(place.penstock("plan other.toml").code, 0) << "what only looks is never refused";
}

TEST(RunFolder, TheSameFileEditedMovedOrSpeltOtherwiseIsTheSameConfiguration) {
  const Workplace place;
  const std::string run = "run ";
  ASSERT_EQ(place.penstock(run + "pipeline.toml" + data_only).code, 0);
  place.write("pipeline.toml", std::string(small_pipeline) + "# edited\n");
  EXPECT_EQ(place.penstock(run + "./pipeline.toml" + data_only).code, 0);
  EXPECT_EQ(place.penstock(run + (place.path() / "pipeline.toml").string() + data_only).code, 0);
  fs::create_symlink("pipeline.toml", place.path() / "link.toml");
  EXPECT_EQ(place.penstock(run + "link.toml" + data_only).code, 0);
  fs::rename(place.path() / "pipeline.toml", place.path() / "renamed.toml");
  EXPECT_EQ(place.penstock(run + "renamed.toml" + data_only).code, 0);
}

}  // namespace
}  // namespace penstock
