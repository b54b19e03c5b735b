#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "context.h"
#include "expect_check.h"
#include "pipeline/files.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::map<std::string, std::vector<std::string>> split(Bench& bench, int labelled, int unlabelled,
                                                      const pipeline::Values& values, const std::string& list = "",
                                                      const std::filesystem::path& metadata = {}) {
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
  if (!metadata.empty()) inputs["metadata"] = {metadata};
  const auto outputs = bench.run("split", inputs, values);
  return Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("subsets");
}

TEST(Split, GivesEverySampleOneSubsetInExactlyTheAskedShares) {
  Bench bench;
  const auto subsets = split(bench, 1000, 5, {{"validation", 0.2}, {"test", 0.1}});
  EXPECT_EQ(subsets.at("validation").size(), 200u);
  EXPECT_EQ(subsets.at("test").size(), 100u);
  EXPECT_EQ(subsets.at("unlabelled").size(), 5u);
  std::set<std::string> all;
  for (const auto& [subset, ids] : subsets) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 1005u);
}

TEST(Split, ATenthOfTwentyFourIsTwo) {
  Bench bench;
  for (int64_t seed = 0; seed < 20; ++seed)
    EXPECT_EQ(split(bench, 24, 0, {{"validation", 0.1}, {"seed", seed}}).at("validation").size(), 2u) << seed;
}

TEST(Split, AnImageThatIsAddedMovesAtMostTheSamplesAtTheBorders) {
  Bench bench;
  for (int count = 20; count < 60; ++count) {
    const auto before = split(bench, count, 0, {}), after = split(bench, count + 1, 0, {});
    int moved = 0;
    for (const auto& [subset, ids] : before) {
      const std::set<std::string> now(after.at(subset).begin(), after.at(subset).end());
      for (const std::string& id : ids) moved += !now.count(id);
    }
    EXPECT_LE(moved, 3) << "of " << count;
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

TEST(Split, EachFoldValidatesOnceAndTheTestIsInNone) {
  Bench bench;
  std::multiset<std::string> validated;
  std::vector<std::string> test;
  for (int64_t fold = 1; fold <= 5; ++fold) {
    const auto subsets = split(bench, 33, 0, {{"fold", std::to_string(fold) + "/5"}, {"test", 0.1}});
    validated.insert(subsets.at("validation").begin(), subsets.at("validation").end());
    EXPECT_NEAR(static_cast<double>(subsets.at("validation").size()), 6, 0.01);
    EXPECT_TRUE(fold == 1 || subsets.at("test") == test) << "the test subset does not depend on the fold";
    test = subsets.at("test");
  }
  EXPECT_EQ(test.size(), 3u);
  EXPECT_EQ(validated.size(), 30u);
  EXPECT_EQ(std::set<std::string>(validated.begin(), validated.end()).size(), 30u) << "none twice";
  for (const std::string& id : test) EXPECT_EQ(validated.count(id), 0u);
}

TEST(Split, StratifiedGivesEachVisualTypeItsShare) {
  Bench bench;
  Value images = Value::array();  // 60 of one type, 30 of another, 10 of a third
  for (int i = 0; i < 100; ++i)
    images.push_back({{"id", "s" + std::to_string(i)}, {"look", i < 60 ? "a" : i < 90 ? "b" : "c"}});
  pipeline::write_file(bench.path() / "metadata/metadata.json", Value{{"images", images}}.dump());
  const auto subsets =
      split(bench, 100, 0, {{"by", "stratified"}, {"validation", 0.2}, {"test", 0.1}}, "", bench.path() / "metadata");
  const auto of_type = [&](const std::string& subset, int from, int to) {
    return std::count_if(subsets.at(subset).begin(), subsets.at(subset).end(), [&](const std::string& id) {
      const int number = std::stoi(id.substr(1));
      return number >= from && number < to;
    });
  };
  EXPECT_EQ(of_type("validation", 0, 60), 12);
  EXPECT_EQ(of_type("validation", 60, 90), 6);
  EXPECT_EQ(of_type("validation", 90, 100), 2);
  EXPECT_EQ(of_type("test", 0, 60), 6);
  EXPECT_EQ(of_type("test", 60, 90), 3);
  EXPECT_EQ(of_type("test", 90, 100), 1);
}

// Samples s0, s1, ... in groups of `size`; as inspect describes them.
std::filesystem::path groups_of(Bench& bench, int labelled, int size) {
  Value images = Value::array();
  for (int i = 0; i < labelled; ++i)
    images.push_back(
        {{"id", "s" + std::to_string(i)}, {"look", "a"}, {"group", "s" + std::to_string(i / size * size)}});
  const auto folder = bench.path() / fmt::format("metadata{}-{}", labelled, size);
  pipeline::write_file(folder / "metadata.json", Value{{"images", images}}.dump());
  return folder;
}

TEST(Split, GroupsAreTakenWholeInSharesAsNearAsTheyAllow) {
  Bench bench;
  for (int64_t seed = 0; seed < 20; ++seed) {
    const auto subsets = split(bench, 200, 0, {{"by", "group"}, {"seed", seed}, {"validation", 0.2}, {"test", 0.1}}, "",
                               groups_of(bench, 200, 4));
    std::map<int, std::set<std::string>> of_group;
    for (const auto& [subset, ids] : subsets) {
      for (const std::string& id : ids) of_group[std::stoi(id.substr(1)) / 4].insert(subset);
    }
    for (const auto& [group, in] : of_group) EXPECT_EQ(in.size(), 1u) << group;
    EXPECT_EQ(subsets.at("validation").size(), 40u);
    EXPECT_EQ(subsets.at("test").size(), 20u);
  }
}

TEST(Split, OfGroupsLargerThanAShareOneIsTakenAndTooFewAreRefused) {
  Bench bench;
  const auto subsets = split(bench, 30, 0, {{"by", "group"}}, "", groups_of(bench, 30, 10));
  EXPECT_EQ(subsets.at("validation").size(), 10u);
  EXPECT_EQ(subsets.at("test").size(), 10u);
  EXPECT_THROW(split(bench, 30, 0, {{"by", "group"}}, "", groups_of(bench, 30, 15)), Error);
}

TEST(Split, AGroupThatIsAddedMovesAtMostTheGroupsAtTheBorders) {
  Bench bench;
  for (int count = 40; count < 80; count += 4) {
    const auto before = split(bench, count, 0, {{"by", "group"}}, "", groups_of(bench, count, 4));
    const auto after = split(bench, count + 4, 0, {{"by", "group"}}, "", groups_of(bench, count + 4, 4));
    int moved = 0;
    for (const auto& [subset, ids] : before) {
      const std::set<std::string> now(after.at(subset).begin(), after.at(subset).end());
      for (const std::string& id : ids) moved += !now.count(id);
    }
    EXPECT_LE(moved, 3 * 4) << "of " << count;
  }
}

TEST(Split, FoldsOfGroupsValidateEachSampleOnce) {
  Bench bench;
  std::multiset<std::string> validated;
  for (int64_t fold = 1; fold <= 5; ++fold) {
    const auto subsets = split(bench, 60, 0, {{"by", "group"}, {"fold", std::to_string(fold) + "/5"}, {"test", 0.0}},
                               "", groups_of(bench, 60, 4));
    EXPECT_EQ(subsets.at("validation").size(), 12u);
    validated.insert(subsets.at("validation").begin(), subsets.at("validation").end());
  }
  EXPECT_EQ(validated.size(), 60u);
  EXPECT_EQ(std::set<std::string>(validated.begin(), validated.end()).size(), 60u);
}

TEST(Split, SaysWhichGroupsStandInSeveralSubsetsWhateverDrewThem) {
  Bench bench;
  Value samples = Value::array();
  for (int i = 0; i < 4; ++i) samples.push_back({{"id", "s" + std::to_string(i)}, {"labelled", true}});
  pipeline::write_file(bench.path() / "shards/index.json", Value{{"samples", samples}}.dump());
  pipeline::write_file(bench.path() / "list.csv", "s0,train\ns1,test\ns2,train\ns3,validation\n");
  const auto outputs = bench.run("split", {{"shards", {bench.path() / "shards"}},
                                           {"metadata", {groups_of(bench, 4, 2)}},
                                           {"list", {bench.path() / "list.csv"}}});
  const Value leakage = Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("leakage");
  EXPECT_EQ(leakage.at("held_out"), 2);
  EXPECT_EQ(leakage.at("related"), 2);
  EXPECT_EQ(leakage.at("groups"), (Value::array({{{"group", "s0"}, {"train", {"s0"}}, {"test", {"s1"}}},
                                                 {{"group", "s2"}, {"train", {"s2"}}, {"validation", {"s3"}}}})));
}

TEST(Split, FoldersOfTheDataDecideAndWhatTheyLeaveOpenIsDrawnFromTrain) {
  Bench bench;
  Value samples = Value::array();
  for (int i = 0; i < 30; ++i) {
    samples.push_back({{"id", "s" + std::to_string(i)}, {"labelled", true}});
    if (i != 7) samples.back()["subset"] = i < 20 ? "train" : "test";
  }
  pipeline::write_file(bench.path() / "shards/index.json", Value{{"samples", samples}}.dump());
  const auto outputs = bench.run("split", {{"shards", {bench.path() / "shards"}}},
                                 {{"by", "folders"}, {"validation", 0.1}, {"test", 0.5}});
  const Value subsets = Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("subsets");
  EXPECT_EQ(subsets.at("test").size(), 10u) << "the folder's, not half of all";
  EXPECT_EQ(subsets.at("validation").size(), 2u);
  EXPECT_EQ(subsets.at("train").size(), 18u);
  for (const Value& id : subsets.at("test")) EXPECT_GE(std::stoi(id.get<std::string>().substr(1)), 20);
}

TEST(Split, FoldersThatSayNothingAreRefused) {
  Bench bench;
  EXPECT_THROW(split(bench, 20, 0, {{"by", "folders"}}), Error);
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

TEST(Split, AListMayNameItsColumnsAndHaveOthers) {
  Bench bench;
  const auto subsets =
      split(bench, 3, 0, {}, "subset,note,image_id\ntest,\"bright, large\",s0\ntrain,,s1\nvalidation,x,s2\n");
  EXPECT_EQ(subsets.at("test"), std::vector<std::string>{"s0"});
  EXPECT_EQ(subsets.at("validation"), std::vector<std::string>{"s2"});
  const std::string refused = refusal_of([&] { split(bench, 2, 0, {}, "id,subset,note\ns0,test\n"); }, ExitCode::data);
  EXPECT_THAT(refused, testing::HasSubstr("list.csv:2: it has 2 fields, the first line names 3"));
}

TEST(Split, WhatAListLeavesOutIsRefusedOrInNoSubset) {
  Bench bench;
  const std::string list = "id,subset\ns0,test\ns1,train\n";
  const std::string refused = refusal_of([&] { split(bench, 4, 0, {}, list); }, ExitCode::data);
  EXPECT_THAT(refused, testing::AllOf(testing::HasSubstr("'s2' is not listed (2 of 4 are)"),
                                      testing::HasSubstr("unlisted = \"leave_out\"")));
  const auto subsets = split(bench, 4, 0, {{"unlisted", "leave_out"}}, list);
  EXPECT_EQ(subsets.at("train"), std::vector<std::string>{"s1"});
  EXPECT_EQ(subsets.at("test"), std::vector<std::string>{"s0"});
  EXPECT_TRUE(subsets.at("validation").empty() && subsets.at("unlabelled").empty());
}

TEST(Split, WhatAListDoesNotNameMayBeDrawnFromItsTrainSamples) {
  Bench bench;
  std::string list = "id,subset\ns0,test\n";
  for (int i = 1; i <= 20; ++i) list += "s" + std::to_string(i) + ",train\n";
  pipeline::Values draw = {{"unnamed_subsets", "draw"}, {"validation", 0.25}, {"test", 0.2}};
  for (const char* by : {"random", "group"}) {
    draw["by"] = by;
    const auto subsets = split(bench, 21, 0, draw, list, groups_of(bench, 21, 1));
    EXPECT_EQ(subsets.at("test"), std::vector<std::string>{"s0"}) << by;
    EXPECT_EQ(subsets.at("validation").size(), 5u) << by;
    EXPECT_EQ(subsets.at("train").size(), 15u) << by;
  }
  list.replace(list.find("s1,train"), 8, "s1,validation");
  EXPECT_THAT(refusal_of([&] { split(bench, 21, 0, draw, list, groups_of(bench, 21, 1)); }, ExitCode::data),
              testing::HasSubstr("has nothing to draw"));
}

TEST(Split, AListThatNamesNoSampleIsRefused) {
  Bench bench;
  const std::string refused = refusal_of(
      [&] {
        split(bench, 2, 0, {{"unlisted", "leave_out"}}, "id,subset\n");
      },
      ExitCode::data);
  EXPECT_THAT(refused, testing::HasSubstr("it names none of the 2 labelled samples"));
}

TEST(Split, AListMayNameSamplesThatWereQuarantined) {
  Bench bench;
  const Value samples = {{{"id", "a"}, {"labelled", true}}, {{"id", "c"}, {"labelled", true}}};
  pipeline::write_file(bench.path() / "shards/index.json", Value{{"samples", samples}, {"left_out", {"b"}}}.dump());
  const auto subsets_by = [&](const std::string& list) {
    pipeline::write_file(bench.path() / "list.csv", list);
    const auto outputs = bench.run(
        "split", {{"shards", {bench.path() / "shards"}}, {"list", {bench.path() / "list.csv"}}}, {{"validation", 0.0}});
    return Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("subsets");
  };
  EXPECT_EQ(subsets_by("a,train\nb,train\nc,test\n").at("train"), Value::array({"a"}));
  EXPECT_THAT(refusal_of([&] { subsets_by("a,train\nd,train\nc,test\n"); }, ExitCode::data),
              testing::HasSubstr("there is no labelled sample 'd'"));
}

}  // namespace
}  // namespace penstock::stages
