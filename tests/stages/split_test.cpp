#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "context.h"
#include "pipeline/files.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::map<std::string, std::vector<std::string>> split(Bench& bench, int labelled, int unlabelled,
                                                      const pipeline::Values& values, const std::string& list = "") {
  Value samples = Value::array();
  for (int i = 0; i < labelled + unlabelled; ++i)
    samples.push_back({{"id", "s" + std::to_string(i)}, {"labelled", i < labelled}});
  const auto shards = bench.path() / ("shards" + std::to_string(labelled));
  pipeline::write_file(shards / "index.json", Value{{"samples", samples}}.dump());
  std::map<std::string, std::vector<std::filesystem::path>> inputs = {{"shards", {shards}}};
  if (!list.empty()) {
    pipeline::write_file(bench.path() / "list.csv", list);
    inputs["list"] = {bench.path() / "list.csv"};
  }
  const auto outputs = bench.run("split", inputs, values);
  return Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("subsets");
}

TEST(Split, GivesEverySampleOneSubsetInAboutTheAskedShares) {
  Bench bench;
  const auto subsets = split(bench, 1000, 5, {{"validation", 0.2}, {"test", 0.1}});
  EXPECT_NEAR(static_cast<double>(subsets.at("validation").size()), 200, 40);
  EXPECT_NEAR(static_cast<double>(subsets.at("test").size()), 100, 30);
  EXPECT_EQ(subsets.at("unlabelled").size(), 5u);
  std::set<std::string> all;
  for (const auto& [subset, ids] : subsets) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 1005u);
}

TEST(Split, MovesNoOldSampleWhenImagesAreAdded) {
  Bench bench;
  const auto before = split(bench, 300, 0, {}), after = split(bench, 400, 0, {});
  for (const auto& [subset, ids] : before) {
    const std::set<std::string> now(after.at(subset).begin(), after.at(subset).end());
    for (const std::string& id : ids) EXPECT_TRUE(now.count(id)) << id << " left " << subset;
  }
}

TEST(Split, AnAskedForSubsetIsNeverEmpty) {
  Bench bench;
  for (int64_t seed = 0; seed < 20; ++seed) {
    const auto subsets = split(bench, 3, 0, {{"validation", 0.01}, {"test", 0.01}, {"seed", seed}});
    for (const char* subset : {"train", "validation", "test"})
      EXPECT_EQ(subsets.at(subset).size(), 1u) << subset << ", seed " << seed;
  }
}

TEST(Split, FewerSamplesThanSubsetsAreRefused) {
  Bench bench;
  EXPECT_THROW(split(bench, 2, 9, {{"validation", 0.1}, {"test", 0.1}}), Error);
}

TEST(Split, AListOfTheUsersIsTakenAsItIsAndMistakesInItHaveALine) {
  Bench bench;
  const auto subsets = split(bench, 3, 0, {}, "id,subset\ns0,test\ns1,train\ns2,validation\n");
  EXPECT_EQ(subsets.at("test"), std::vector<std::string>{"s0"});
  try {
    split(bench, 3, 0, {}, "s0,test\ns1,training\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("list.csv:2"), testing::HasSubstr("'training'")));
  }
}

}  // namespace
}  // namespace penstock::stages
