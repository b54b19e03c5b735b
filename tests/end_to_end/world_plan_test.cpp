// What plan --world predicts, against the run that follows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using nlohmann::json;

json file_in_store(const Workplace& place, const std::string& name) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().filename() == name) return json::parse(text_of(entry.path()));
  }
  return nullptr;
}

json plan_of(const Workplace& place, const std::string& flags) {
  const Ran ran = place.penstock("plan pipeline.toml --json " + flags);
  EXPECT_EQ(ran.code, 0) << ran.error;
  return json::parse(ran.out).at("world").at("trainings").at(0);
}

TEST(WorldPlan, TheRunThatFollowsDoesWhatWasPredictedAndTheNextPlanKnowsItsPace) {
  const Workplace place;
  const json before = plan_of(place, "--world 2");
  EXPECT_TRUE(before.at("pace").is_null());
  ASSERT_EQ(place.penstock("run pipeline.toml --until train", 2).code, 0);
  const json curves = file_in_store(place, "curves.json"), telemetry = file_in_store(place, "telemetry.json"),
             split = file_in_store(place, "split.json");

  const json after = plan_of(place, "--world 2 --link shared-memory");
  EXPECT_NEAR(before.at("samples").get<double>(), after.at("samples").get<double>(), 20)
      << "an estimate before the split, the split's own number after it";
  EXPECT_EQ(after.at("samples"), split.at("subsets").at("train").size());
  EXPECT_EQ(after.at("steps_per_epoch"), curves.at("steps_per_epoch"));
  EXPECT_EQ(after.at("plans").at(0).at("reproducible"), telemetry.at("reproducible"));
  EXPECT_THAT(after.at("pace_from").get<std::string>(), testing::HasSubstr("2 ranks x"));
  EXPECT_NEAR(after.at("plans").at(0).at("times").at("compute_seconds").get<double>(),
              8 / telemetry.at("images_per_second").get<double>(), 1e-9)
      << "the pace of this very run, whose communication is inside";
}

}  // namespace
}  // namespace penstock
