// Which runs of a sweep go on: the rules by themselves, and what a store remembers of them.
#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/files.h"
#include "pipeline/plan/sweep.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

EarlyStop asha(int64_t min = 1, int64_t eta = 3) {
  EarlyStop rule;
  rule.metric = "score";
  rule.larger_is_better = true;
  rule.min = min;
  rule.eta = eta;
  return rule;
}

EarlyStop median(int64_t min = 1, int64_t start_up = 2) {
  EarlyStop rule = asha(min);
  rule.method = EarlyStop::Method::median;
  rule.start_up = start_up;
  return rule;
}

TEST(Asha, DecidesAtItsRungsOnly) {
  const EarlyStop rule = asha(2, 3);
  std::vector<int64_t> rungs;
  for (int64_t unit = 1; unit <= 60; ++unit) {
    if (rule.decides_at(unit)) rungs.push_back(unit);
  }
  EXPECT_EQ(rungs, (std::vector<int64_t>{2, 6, 18, 54}));
}

TEST(Asha, TheBestThirdGoesOn) {
  const std::vector<Scores> others = {{{1, 0.1}}, {{1, 0.2}}, {{1, 0.3}}, {{1, 0.4}}, {{1, 0.5}}};
  EXPECT_TRUE(may_continue(asha(), 1, {{1, 0.45}}, others)) << "second of six";
  EXPECT_FALSE(may_continue(asha(), 1, {{1, 0.35}}, others)) << "third of six";
}

TEST(Asha, TheFirstToArriveAlwaysContinues) { EXPECT_TRUE(may_continue(asha(), 1, {{1, 0.01}}, {{}, {}})); }

TEST(Asha, SmallerMayBeBetter) {
  EarlyStop rule = asha();
  rule.larger_is_better = false;
  EXPECT_FALSE(may_continue(rule, 1, {{1, 0.5}}, {{{1, 0.1}}}));
  EXPECT_TRUE(may_continue(rule, 1, {{1, 0.1}}, {{{1, 0.5}}}));
}

TEST(Asha, ARunWhoseScoreIsNanNeverContinues) { EXPECT_FALSE(may_continue(asha(), 1, {{1, std::nan("")}}, {})); }

TEST(Median, WhoIsWorseThanTheMedianOfRunningMeansIsGivenUp) {
  const std::vector<Scores> others = {
      {{1, 0.2}, {2, 0.4}}, {{1, 0.4}, {2, 0.6}}, {{1, 0.6}, {2, 0.8}}};  // means 0.3, 0.5, 0.7
  EXPECT_FALSE(may_continue(median(), 2, {{1, 0.4}, {2, 0.45}}, others));
  EXPECT_TRUE(may_continue(median(), 2, {{1, 0.55}, {2, 0.1}}, others)) << "its best counts, not its last";
}

TEST(Median, WaitsForEnoughOthers) {
  EXPECT_TRUE(may_continue(median(1, 2), 1, {{1, 0.0}}, {{{1, 0.9}}}));
  EXPECT_FALSE(may_continue(median(1, 2), 1, {{1, 0.0}}, {{{1, 0.9}}, {{1, 0.8}}}));
}

Digest run(const std::string& name) { return digest_of(name); }

TEST(Sweep, RemembersWhoWasGivenUpAndWhatItWasDecidedFrom) {
  const TemporaryFolder folder;
  const Sweep sweep(folder.path(), asha());
  sweep.record(run("good"), "good", 1, 0.9);
  EXPECT_TRUE(sweep.decide(run("good"), "good", 1));
  sweep.record(run("bad"), "bad", 1, 0.1);
  EXPECT_FALSE(sweep.decide(run("bad"), "bad", 1));
  EXPECT_EQ(Sweep(folder.path(), asha()).pruned_at(run("bad")), 1) << "another process sees it";
  EXPECT_FALSE(sweep.pruned_at(run("good")));
  const Value decision = Value::parse(read_file(folder.path() / "decisions" / (run("bad").hex() + ".json"))).at(0);
  EXPECT_EQ(decision.at("others").at(run("good").hex()), Value::parse("[[1, 0.9]]"));
}

// After a kill a run repeats units: it gets the answers it got, though the others have moved on.
TEST(Sweep, WhatWasDecidedOnceIsNotDecidedAgain) {
  const TemporaryFolder folder;
  const Sweep sweep(folder.path(), asha());
  sweep.record(run("first"), "first", 1, 0.2);
  EXPECT_TRUE(sweep.decide(run("first"), "first", 1));
  for (const char* other : {"a", "b", "c"}) sweep.record(run(other), other, 1, 0.8);
  sweep.record(run("first"), "first", 1, 0.2);
  EXPECT_TRUE(sweep.decide(run("first"), "first", 1));
}

// Every decision can be computed again from what was written beside it.
TEST(Sweep, DecisionsReplayEqual) {
  const TemporaryFolder folder;
  const Sweep sweep(folder.path(), asha(1, 2));
  for (int i = 0; i < 12; ++i) {
    const std::string name = "run " + std::to_string(i * 7 % 12);
    for (const int64_t unit : {1, 2, 4, 8}) {
      sweep.record(run(name), name, unit, (i * 5 % 12) * 0.1 + static_cast<double>(unit) * 0.01);
      if (!sweep.decide(run(name), name, unit)) break;
    }
  }
  size_t replayed = 0, given_up = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "decisions")) {
    Scores mine;
    for (const Value& decision : Value::parse(read_file(entry.path()))) {
      mine.emplace(decision.at("unit").get<int64_t>(), decision.at("score").get<double>());
      std::vector<Scores> others;
      for (const auto& [name, pairs] : decision.at("others").items()) {
        for (others.emplace_back(); const Value& pair : pairs)
          others.back().emplace(pair.at(0).get<int64_t>(), pair.at(1).get<double>());
      }
      EXPECT_EQ(may_continue(asha(1, 2), decision.at("unit"), mine, others), decision.at("goes_on").get<bool>());
      ++replayed;
      given_up += !decision.at("goes_on").get<bool>();
    }
  }
  EXPECT_GT(replayed, 12u);
  EXPECT_GT(given_up, 3u);
}

}  // namespace
}  // namespace penstock::pipeline
