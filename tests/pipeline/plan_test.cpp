#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_stages.h"

namespace penstock::pipeline {
namespace {

using testing::HasSubstr;

// Stage -> reason, of those that would run.
std::map<std::string, std::string> running(const Workshop& shop, const Plan& plan) {
  std::map<std::string, std::string> found;
  const Graph graph = shop.load().graph;
  for (const PlannedNode& node : plan.nodes) {
    if (node.state == State::run) found[graph.nodes[node.node].stage] = node.reason;
  }
  return found;
}

TEST(Plan, OfAFreshStoreRunsEverythingAndMakesNothing) {
  const Workshop shop(chain);
  EXPECT_EQ(running(shop, shop.plan()).size(), 3u);
  EXPECT_FALSE(std::filesystem::exists(shop.path("store")));
}

TEST(Plan, AfterARunRunsNothing) {
  Workshop shop(chain);
  shop.run();
  EXPECT_TRUE(running(shop, shop.plan()).empty());
}

TEST(Plan, SaysWhichParameterChangedFromWhatToWhat) {
  Workshop shop(chain);
  shop.run();
  const auto found = running(shop, shop.plan({"upper.repeat=2"}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found.at("upper"), HasSubstr("parameter repeat: 1 -> 2"));
}

TEST(Plan, AStageBelowARunningOneNamesIt) {
  Workshop shop(chain);
  shop.run();
  const auto found = running(shop, shop.plan({"write.text=\"other\""}));
  EXPECT_THAT(found.at("upper"), HasSubstr("upstream write runs"));
}

TEST(Plan, AParameterThatChangesNoOutputRunsNothing) {
  Workshop shop(chain);
  shop.run();
  EXPECT_TRUE(running(shop, shop.plan({"write.speed=5"})).empty());
}

TEST(Plan, ForcingAStageRunsItAlone) {
  Workshop shop(chain);
  shop.run();
  Selection selection;
  selection.forced = {"write"};
  EXPECT_EQ(running(shop, shop.plan({}, selection)), (std::map<std::string, std::string>{{"write", "forced"}}));
}

TEST(Plan, UntilLeavesTheRestOut) {
  const Workshop shop(chain);
  Selection selection;
  selection.until = "write";
  EXPECT_EQ(running(shop, shop.plan({}, selection)).size(), 1u);
}

TEST(Plan, AnUnknownTargetIsNamedWithItsNearest) {
  const Workshop shop(chain);
  Selection selection;
  selection.targets = {"uper"};
  EXPECT_THROW(
      {
        try {
          shop.plan({}, selection);
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
  EXPECT_TRUE(running(shop, shop.plan()).empty());
  shop.write("extra.txt", "two");
  EXPECT_THAT(running(shop, shop.plan()).at("write"), HasSubstr("input extra"));
}

TEST(Plan, AMissingOutsideFileIsNamedWithItsPlaceInTheConfiguration) {
  const Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = \"file:extra.txt\" }\n");
  try {
    shop.plan();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("pipeline.toml:5:"), HasSubstr("extra.txt does not exist")));
  }
}

TEST(Plan, APinnedDigestThatDiffersIsRefused) {
  const Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = { file = \"extra.txt\", sha256 = \"" + std::string(64, 'a') + "\" } }\n");
  shop.write("extra.txt", "one");
  EXPECT_THROW(shop.plan(), Error);
}

}  // namespace
}  // namespace penstock::pipeline
