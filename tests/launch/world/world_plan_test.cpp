// plan --world: a cluster job on paper, before anything has run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "launch/command_line.h"
#include "launch/world/measurements.h"
#include "launch/world/world_inputs.h"
#include "pipeline/value.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* quickstart = PENSTOCK_SOURCE_DIR "/configs/quickstart.toml";

// A folder with no store, and a cache in which nothing was measured.
class WorldPlan : public testing::Test {
 protected:
  void SetUp() override {
    const char* before = std::getenv("XDG_CACHE_HOME");
    if (before != nullptr) cache_ = before;
    had_cache_ = before != nullptr;
    setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    if (had_cache_)
      setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
    else
      unsetenv("XDG_CACHE_HOME");
  }

  std::string said(std::vector<std::string> words) const {
    words.insert(words.begin(), {"penstock", "plan"});
    words.insert(words.end(), {"--store", (folder_.path() / "store").string()});
    std::vector<const char*> raw;
    for (const std::string& word : words) raw.push_back(word.c_str());
    testing::internal::CaptureStdout();
    try {
      run_command_line(static_cast<int>(raw.size()), raw.data(), stages::stage_table());
    } catch (const Error& error) {
      testing::internal::GetCapturedStdout();
      return "refused " + std::to_string(static_cast<int>(error.code())) + ": " + error.what();
    }
    return testing::internal::GetCapturedStdout();
  }
  Value json(std::vector<std::string> words) const {
    words.push_back("--json");
    return Value::parse(said(words)).at("world");
  }

  TemporaryFolder folder_;

 private:
  std::string cache_;
  bool had_cache_ = false;
};

TEST_F(WorldPlan, InventsNoSpeedAndSaysHowToMeasureIt) {
  const std::string text = said({quickstart, "--world", "4"});
  EXPECT_THAT(text,
              AllOf(HasSubstr("penstock bench train --base-channels 8 --depth 3 --size 128 --batch 8 --micro-batch 4"),
                    HasSubstr("--link NAME")));
  const Value plan = json({quickstart, "--world", "4"}).at("trainings").at(0);
  EXPECT_TRUE(plan.at("pace").is_null());
  EXPECT_TRUE(plan.at("plans").at(0).at("times").is_null());
}

TEST_F(WorldPlan, TellsWhoDoesWhatAndWhatItHolds) {
  const Value training = json({quickstart, "--world", "2", "--set", "train.global_batch=32"}).at("trainings").at(0);
  EXPECT_EQ(training.at("samples"), 90);  // 70 % of 128
  EXPECT_EQ(training.at("steps_per_epoch"), 3);
  EXPECT_EQ(training.at("steps"), 48);
  const Value& plan = training.at("plans").at(0);
  EXPECT_EQ(plan.at("micro_shards"), (Value{{"fewest", 4}, {"most", 4}}));
  EXPECT_EQ(plan.at("samples_per_epoch").at("most"), 48);
  EXPECT_EQ(plan.at("reproducible"), "world");
  EXPECT_EQ(plan.at("memory_bytes").at("optimiser"), plan.at("memory_bytes").at("optimiser").get<double>());
  EXPECT_GT(plan.at("sent_bytes_per_step"), 0);
  EXPECT_EQ(plan.at("shared_stages").at(0), (Value{{"stage", "unzip"}, {"buckets", 4}, {"fewest", 2}, {"most", 2}}));
}

TEST_F(WorldPlan, SeveralRankCountsGiveATableWithOneRowEach) {
  const std::string text =
      said({quickstart, "--world", "8,1,2", "--images-per-second", "50", "--link", "infiniband-hdr"});
  EXPECT_THAT(text, AllOf(HasSubstr("efficiency"), HasSubstr("ConnectX-6"),
                          HasSubstr("6 of 8 ranks train nothing: a step has 2 micro-shards")));
  const Value plans = json({quickstart, "--world", "8,1,2", "--images-per-second", "50", "--link", "infiniband-hdr"})
                          .at("trainings")
                          .at(0)
                          .at("plans");
  ASSERT_EQ(plans.size(), 3u);
  EXPECT_EQ(plans.at(0).at("world"), 1);
  EXPECT_NEAR(plans.at(0).at("times").at("images_per_second"), 50, 1e-9);
  EXPECT_DOUBLE_EQ(plans.at(0).at("times").at("efficiency"), 1);
  EXPECT_GT(plans.at(1).at("times").at("images_per_second"), 90);
  EXPECT_LT(plans.at(2).at("times").at("efficiency"), 0.26) << "two micro-shards keep two ranks of eight busy";
}

TEST_F(WorldPlan, ASlowerLinkExposesMore) {
  const auto exposed = [&](const char* link) {
    return json({quickstart, "--world", "2", "--images-per-second", "5000", "--link", link})
        .at("trainings")
        .at(0)
        .at("plans")
        .at(0)
        .at("times")
        .at("exposed_seconds")
        .get<double>();
  };
  EXPECT_GT(exposed("ethernet-10g"), exposed("infiniband-hdr"));
  EXPECT_GT(exposed("1ms,1GB/s"), exposed("ethernet-10g"));
}

TEST_F(WorldPlan, NodesAreJoinedByTheLinkAndRanksOfANodeByTheirOwn) {
  const auto step = [&](const char* ranks_per_node) {
    return json({quickstart, "--world", "2", "--images-per-second", "5000", "--link", "ethernet-10g", "--node-link",
                 "nvlink4", "--ranks-per-node", ranks_per_node})
        .at("trainings")
        .at(0)
        .at("plans")
        .at(0)
        .at("times")
        .at("step_seconds")
        .get<double>();
  };
  EXPECT_LT(step("2"), step("1"));
}

TEST_F(WorldPlan, UsesWhatWasMeasuredHere) {
  stages::BenchRequest request;
  request.what = "train", request.base_channels = 8, request.depth = 3, request.global_batch = 8;
  keep_measurement(request, {{"what", "train"},
                             {"ranks", 1},
                             {"threads", 2},
                             {"images_per_second", 40.0},
                             {"step_seconds", {{"median", 0.2}}},
                             {"update_seconds", 0.01}});
  keep_measurement({.what = "reduce"}, {{"what", "reduce"},
                                        {"ranks", 2},
                                        {"threads", 1},
                                        {"link", {{"latency_seconds", 1e-5}, {"bytes_per_second", 2e9}}}});
  const Value world = json({quickstart, "--world", "1,2", "--link", "measured"});
  const Value& training = world.at("trainings").at(0);
  EXPECT_NEAR(training.at("pace").at("micro_shard_seconds"), 0.19, 1e-12);  // two side by side
  EXPECT_THAT(training.at("pace_from").get<std::string>(), HasSubstr("bench train here"));
  EXPECT_THAT(world.at("link").get<std::string>(), HasSubstr("10 us, 2 GB/s"));
  EXPECT_EQ(training.at("plans").at(1).at("threads"), 2);
  EXPECT_TRUE(
      json({quickstart, "--world", "1", "--set", "train.base_channels=16"}).at("trainings").at(0).at("pace").is_null())
      << "another network";
}

TEST_F(WorldPlan, OfASweepTrainingsThatRanksSeeAlikeAreToldOnce) {
  const std::string matrix = PENSTOCK_SOURCE_DIR "/configs/matrix.toml";
  const Value alike = json({matrix, "--world", "2"}).at("trainings");
  ASSERT_EQ(alike.size(), 1u) << "they differ in learning rate, loss and seed";
  EXPECT_EQ(alike.at(0).at("instances"), 8);
}

TEST_F(WorldPlan, OfASweepOverWidthsEachIsToldApart) {
  const auto config = folder_.path() / "widths.toml";
  std::ofstream(config)
      << "schema = 1\nextends = \"" << PENSTOCK_SOURCE_DIR
      << "/configs/quickstart.toml\"\n[pipeline]\nname = \"widths\"\n[matrix.axes]\n\"train.base_channels\" = [4, 8]\n";
  EXPECT_EQ(json({config.string(), "--world", "2"}).at("trainings").size(), 2u);
}

TEST_F(WorldPlan, SuggestsRankCountsThatDivide) {
  EXPECT_THAT(said({quickstart, "--world", "5", "--set", "train.global_batch=48"}),
              HasSubstr("12 micro-shards do not divide evenly; 4 or 6 ranks do"));
  EXPECT_THAT(said({quickstart, "--world", "4", "--set", "train.global_batch=48"}), Not(HasSubstr("note:")));
  EXPECT_THAT(said({quickstart, "--world", "4", "--set", "train.global_batch=96"}), HasSubstr("some several times"));
}

TEST_F(WorldPlan, MistakesAreAnsweredWithOneSentence) {
  EXPECT_THAT(said({quickstart, "--world", "0"}), testing::StartsWith("refused 64: plan --world: '0'"));
  EXPECT_THAT(said({quickstart, "--world", "2,x"}), testing::StartsWith("refused 64: plan --world: 'x'"));
  EXPECT_THAT(said({quickstart, "--world", "2", "--link", "nvlink"}),
              AllOf(testing::StartsWith("refused 64"), HasSubstr("did you mean 'nvlink4'?")));
  EXPECT_THAT(said({quickstart, "--world", "2", "--link", "measured"}),
              AllOf(testing::StartsWith("refused 64"), HasSubstr("bench reduce")));
  EXPECT_THAT(said({quickstart, "resize", "--world", "2"}),
              AllOf(testing::StartsWith("refused 64"), HasSubstr("train")));
  EXPECT_THAT(said({quickstart, "--link", "nvlink4"}), testing::StartsWith("refused 64"));
  EXPECT_THAT(said({quickstart, "--world", "2", "--wolrd", "3"}), HasSubstr("did you mean '--world'?"));
}

}  // namespace
}  // namespace penstock::launch
