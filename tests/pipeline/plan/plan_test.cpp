#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"
#include "pipeline/plan/explain.h"

namespace penstock::pipeline {
namespace {

using testing::HasSubstr;

// Stage -> reason, of those that would run.
std::map<std::string, std::string> running(const Workshop& shop, const std::vector<std::string>& sets = {},
                                           const Selection& selection = {}) {
  const Graph graph = shop.load(sets).graph;
  const Store store(graph.store, Store::Mode::read_only);
  StatCache inputs(shop.path("cache"));
  const Plan plan = make_plan(graph, selection, store, inputs);
  Explainer explainer(graph, plan, store);
  std::map<std::string, std::string> found;
  for (size_t node = 0; node < graph.nodes.size(); ++node) {
    if (plan.nodes[node].runs()) found[graph.nodes[node].stage()] = explainer.why(static_cast<int>(node)).reason;
  }
  return found;
}

TEST(Plan, OfAFreshStoreRunsEverythingAndMakesNothing) {
  const Workshop shop(chain);
  EXPECT_EQ(running(shop).size(), 3u);
  EXPECT_FALSE(std::filesystem::exists(shop.path("store")));
}

TEST(Plan, AfterARunRunsNothing) {
  Workshop shop(chain);
  shop.run();
  EXPECT_TRUE(running(shop).empty());
}

TEST(Plan, SaysWhichParameterChangedFromWhatToWhat) {
  Workshop shop(chain);
  shop.run();
  const auto found = running(shop, {"upper.repeat=2"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found.at("upper"), HasSubstr("parameter repeat: 1 -> 2"));
}

TEST(Plan, AStageBelowARunningOneNamesIt) {
  Workshop shop(chain);
  shop.run();
  const auto found = running(shop, {"write.text=\"other\""});
  EXPECT_THAT(found.at("upper"), HasSubstr("upstream write runs"));
}

TEST(Plan, AParameterThatChangesNoOutputRunsNothing) {
  Workshop shop(chain);
  shop.run();
  EXPECT_TRUE(running(shop, {"write.speed=5"}).empty());
}

TEST(Plan, ForcingAStageRunsItAlone) {
  Workshop shop(chain);
  shop.run();
  Selection selection;
  selection.forced = {"write"};
  EXPECT_EQ(running(shop, {}, selection), (std::map<std::string, std::string>{{"write", "forced"}}));
}

TEST(Plan, UntilLeavesTheRestOut) {
  const Workshop shop(chain);
  Selection selection;
  selection.until = "write";
  EXPECT_EQ(running(shop, {}, selection).size(), 1u);
}

TEST(Plan, AnUnknownTargetIsNamedWithItsNearest) {
  const Workshop shop(chain);
  Selection selection;
  selection.targets = {"uper"};
  EXPECT_THROW(
      {
        try {
          running(shop, {}, selection);
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("did you mean 'upper'?"));
          throw;
        }
      },
      Error);
}

TEST(Plan, AnOutsideFileThatChangedRunsWhatReadsIt) {
  Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = \"file:extra.txt\" }\n");
  shop.write("extra.txt", "one");
  shop.run();
  EXPECT_TRUE(running(shop).empty());
  shop.write("extra.txt", "two");
  EXPECT_THAT(running(shop).at("write"), HasSubstr("input extra"));
}

TEST(Plan, AMissingOutsideFileIsNamedWithItsPlaceInTheConfiguration) {
  const Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = \"file:extra.txt\" }\n");
  try {
    running(shop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("pipeline.toml:5:"), HasSubstr("extra.txt does not exist")));
  }
}

TEST(Plan, APinnedDigestThatDiffersIsRefused) {
  const Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = { file = \"extra.txt\", sha256 = \"" +
      std::string(64, 'a') + "\" } }\n");
  shop.write("extra.txt", "one");
  EXPECT_THROW(running(shop), Error);
}

}  // namespace
}  // namespace penstock::pipeline
