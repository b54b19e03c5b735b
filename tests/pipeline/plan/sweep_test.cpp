// A matrix on several ranks, with threads as ranks: groups, failures, what is done again, what is given up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"

namespace penstock::pipeline {
namespace {

using testing::HasSubstr;

const std::string base =
    "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.learn]\ninputs = { text = \"write.text\" }\n";

std::string sweep_of(const std::string& skills, const std::string& more = "") {
  return base + more + "[matrix.axes]\n\"learn.skill\" = [" + skills + "]\n";
}

int count(const Workshop::Outcome& outcome, Ending how) {
  int found = 0;
  for (const auto& [run, stages] : outcome.runs) {
    for (const auto& [stage, ended] : stages) found += stage == "learn" && ended == how;
  }
  return found;
}

Selection selecting(const std::string& conditions, const std::string& part = "") {
  Selection selection;
  selection.runs = RunFilter::parse(conditions, part);
  return selection;
}

TEST(Groups, RunsOfASweepWorkSideBySideOnTheRanksTheyAskFor) {
  Workshop shop(sweep_of("1, 2, 3, 4, 5", "resources = { ranks = 2 }\n"));
  const auto outcome = shop.run({}, 5);
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(count(outcome, Ending::ran), 5);
  EXPECT_EQ(shop.calls.count["write"], 1) << "shared stages run once";
  EXPECT_EQ(shop.calls.count["learn"], 5);
  const auto& ranks = outcome.details.at("learn").published->port("ranks")->digest;
  EXPECT_EQ(read_file(Store(shop.path("store"), Store::Mode::read_only).object_files(ranks) / "ranks.txt"), "2\n");
}

TEST(Groups, AnyShareOfTheRanksPublishesTheSame) {
  std::map<std::string, std::string> expected;
  for (const auto& [ranks, jobs] :
       {std::pair(1, 1), std::pair(4, 1), std::pair(4, 2), std::pair(4, 4), std::pair(3, 2)}) {
    Workshop shop(sweep_of("1, 2, 3"));
    RunOptions options;
    options.jobs = jobs;
    auto digests = shop.run({}, ranks, {}, options).digests;
    std::erase_if(digests,
                  [](const auto& one) { return one.first.ends_with(".note") || one.first.ends_with(".ranks"); });
    if (expected.empty()) expected = digests;
    EXPECT_EQ(digests, expected) << ranks << " ranks, -j " << jobs;
    EXPECT_EQ(shop.calls.count["learn"], 3);
  }
}

TEST(Groups, IndependentStagesOfOneRunShareTheRanksToo) {
  Workshop shop(base + "[stage.other]\nuses = \"learn\"\nskill = 7.0\ninputs = { text = \"write.text\" }\n");
  RunOptions options;
  options.jobs = 2;
  const auto outcome = shop.run({}, 2, {}, options);
  EXPECT_EQ(outcome.code, ExitCode::done);
  for (const char* stage : {"learn", "other"}) {
    const auto& ranks = outcome.details.at(stage).published->port("ranks")->digest;
    EXPECT_EQ(read_file(Store(shop.path("store"), Store::Mode::read_only).object_files(ranks) / "ranks.txt"), "1\n")
        << stage;
  }
}

TEST(KeepGoing, AFailureStopsOnlyWhatDependsOnIt) {
  const std::string config =
      sweep_of("1, 2, 3") +
      "[[matrix.set]]\nwhen = { \"learn.skill\" = 2 }\nset = { \"learn.fail_at\" = 2, \"learn.failures\" = 9 }\n";
  for (const int ranks : {1, 3}) {
    Workshop shop(config);
    RunOptions options;
    options.keep_going = true;
    options.jobs = ranks;
    const auto outcome = shop.run({}, ranks, {}, options);
    EXPECT_EQ(outcome.code, ExitCode::data);
    EXPECT_EQ(count(outcome, Ending::ran), 2);
    EXPECT_EQ(count(outcome, Ending::failed), 1);
  }
}

TEST(KeepGoing, WithoutItNothingNewStarts) {
  Workshop shop(
      sweep_of("1, 2, 3") +
      "[[matrix.set]]\nwhen = { \"learn.skill\" = 1 }\nset = { \"learn.fail_at\" = 2, \"learn.failures\" = 9 }\n");
  EXPECT_EQ(shop.run().code, ExitCode::data);
  EXPECT_EQ(shop.calls.count["learn"], 0);
}

TEST(FailFast, AFailureInterruptsWhatRunsBesideItWithItsStateKept) {
  Workshop shop(sweep_of("1, 2"));
  RunOptions options;
  options.jobs = 2;
  options.fail_fast = true;
  const auto outcome = shop.run({"learn.fail_at=1", "learn.failures=1"}, 2, {}, options);
  EXPECT_EQ(outcome.code, ExitCode::data);
  shop.interrupted = false;
  EXPECT_EQ(shop.run({}, 2, {}, options).code, ExitCode::done) << "and the next run completes what is missing";
}

TEST(Retries, AFailureIsTriedAgainFromItsProgress) {
  Workshop shop(base + "retries = 2\nfail_at = 2\nfailures = 2\n");
  const auto outcome = shop.run({}, 2);
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(shop.calls.count["unit"], 1 + 2 + 2) << "unit 1 once; unit 2 failed twice, then it and unit 3";
  Workshop other(base + "retries = 1\nfail_at = 2\nfailures = 2\n");
  EXPECT_EQ(other.run({}, 2).code, ExitCode::data);
}

TEST(Gate, OneThatIsOpenLetsARefusalPass) {
  const std::string config =
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ntext = \"bad\"\n[stage.check]\ngate = false\ninputs = { "
      "text = \"write.text\" }\n"
      "[stage.upper]\ninputs = { text = \"write.text\" }\nneeds = [\"check\"]\n";
  Workshop shop(config);
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(outcome.ended.at("upper"), Ending::ran);
}

TEST(Selection, OnlyRunsOneStageAndFromNothingUpstream) {
  Workshop shop(chain);
  Selection only;
  only.only = "upper";
  EXPECT_THROW(shop.run({}, 1, only), Error) << "what it takes is not there";
  shop.run();
  EXPECT_EQ(shop.run({"upper.repeat=2"}, 1, only).ended.at("upper"), Ending::ran);
  Selection from;
  from.from = "upper";
  EXPECT_THROW(shop.run({"write.text=\"new\""}, 1, from), Error);
  EXPECT_EQ(shop.run({"upper.repeat=3"}, 1, from).ended.at("upper"), Ending::ran);
}

TEST(Selection, SomeOfAMatrixsRunsByTheirValues) {
  Workshop shop(sweep_of("1, 2, 3, 4"));
  EXPECT_EQ(count(shop.run({}, 1, selecting("learn.skill>=3")), Ending::ran), 2);
  EXPECT_EQ(count(shop.run({}, 1, selecting("learn.skill<=3, learn.skill!=2")), Ending::ran), 1) << "1; 3 was there";
  EXPECT_THROW(shop.run({}, 1, selecting("learn.skil=1")), Error);
}

TEST(Selection, PartsOfAMatrixAreItsWholeAndStayWhenItGrows) {
  Workshop shop(sweep_of("1, 2, 3, 4, 5, 6, 7"));
  int ran = 0;
  std::map<int, std::set<std::string>> runs_of;
  for (const int part : {1, 2, 3}) {
    const auto outcome = shop.run({}, 1, selecting("", std::to_string(part) + "/3"));
    ran += count(outcome, Ending::ran);
    for (const auto& [run, stages] : outcome.runs) runs_of[part].insert(run);
  }
  EXPECT_EQ(ran, 7);
  EXPECT_EQ(count(shop.run(), Ending::ran), 0) << "together they are the whole";
  shop.write("pipeline.toml", sweep_of("1, 2, 3, 4, 5, 6, 7, 8, 9"));
  const auto outcome = shop.run({}, 1, selecting("", "2/3"));
  for (const std::string& run : runs_of[2]) EXPECT_TRUE(outcome.runs.count(run)) << run;
}

TEST(FanIn, TakesEveryRunAndRunsOnce) {
  Workshop shop(sweep_of("1, 2, 3") + "[stage.gather]\ninputs = { models = \"learn.model[*]\" }\n");
  const auto outcome = shop.run({}, 2);
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(shop.calls.count["gather"], 1);
  EXPECT_EQ(count(shop.run({}, 1), Ending::hit), 3);
  EXPECT_EQ(shop.calls.count["gather"], 1);
}

TEST(FanIn, ARunWithoutOutputIsLeftOutAndTakenInLater) {
  Workshop shop(sweep_of("1, 2, 3") +
                "[stage.gather]\ninputs = { models = \"learn.model[*]\" }\n[[matrix.set]]\nwhen = { \"learn.skill\" = "
                "2 }\nset = { \"learn.fail_at\" = 1 }\n");
  RunOptions options;
  options.keep_going = true;
  const auto first = shop.run({}, 1, {}, options);
  EXPECT_EQ(first.code, ExitCode::data);
  EXPECT_EQ(first.ended.at("gather"), Ending::ran);
  const auto second = shop.run({}, 1, {}, options);  // its one failure is behind it
  EXPECT_EQ(second.code, ExitCode::done);
  EXPECT_NE(first.details.at("gather").published->port("text")->digest,
            second.details.at("gather").published->port("text")->digest);
  EXPECT_EQ(shop.calls.count["gather"], 2);
}

TEST(EarlyStop, WhoDoesWorseIsGivenUpAndStaysSoWhenRunAgain) {
  Workshop shop(sweep_of("9, 8, 7, 6, 5, 4", "units = 9\n") + "[matrix.early_stop]\nmin = 3\n");
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(count(outcome, Ending::pruned), 5) << "the first comes first, and none is among the best third after it";
  const int units = shop.calls.count["unit"];
  const auto again = shop.run();
  EXPECT_EQ(again.code, ExitCode::done);
  EXPECT_EQ(shop.calls.count["unit"], units) << "nothing runs again";
}

TEST(EarlyStop, AGivenUpRunGoesOnFromItsStateWhenAskedForAlone) {
  Workshop shop(sweep_of("9, 8, 7, 6", "units = 9\n") + "[matrix.early_stop]\nmin = 3\n");
  shop.run();
  const int before = shop.calls.count["unit"];
  const auto selected = shop.run({}, 1, selecting("learn.skill=6"));
  EXPECT_EQ(count(selected, Ending::ran), 1);
  EXPECT_EQ(shop.calls.count["unit"] - before, 6) << "units 4 to 9";
}

TEST(EarlyStop, GroupsObeyItToo) {
  Workshop shop(sweep_of("9, 8, 7, 6, 5, 4", "units = 9\nresources = { ranks = 2 }\n") +
                "[matrix.early_stop]\nmin = 3\n");
  const auto outcome = shop.run({}, 4);
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(count(outcome, Ending::pruned) + count(outcome, Ending::ran), 6);
  EXPECT_GE(count(outcome, Ending::pruned), 2);
}

TEST(EarlyStop, AStageThatReportsNothingCannotBeWatched) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[matrix]\nearly_stop = "
      "\"asha\"\n[matrix.axes]\n\"write.text\" = [\"a\", \"b\"]\n");
  try {
    shop.load();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("error[E406]: no stage reports scores"));
  }
}

TEST(Longer, ALongerRunGoesOnFromAShorterOneAndSaysSo) {
  Workshop shop(base);
  shop.run();
  const int before = shop.calls.count["unit"];
  const auto outcome = shop.run({"learn.units=5"});
  EXPECT_EQ(shop.calls.count["unit"] - before, 2);
  EXPECT_THAT(outcome.reasons.at("learn"), HasSubstr("continues from unit 3"));
}

TEST(Longer, WhatDiffersInMoreBeginsAnew) {
  Workshop shop(base);
  shop.run();
  const int before = shop.calls.count["unit"];
  shop.run({"learn.units=5", "learn.skill=0.7"});
  EXPECT_EQ(shop.calls.count["unit"] - before, 5);
}

TEST(Longer, AShorterRunSaysWhyItBeginsAnew) {
  Workshop shop(base);
  shop.run();
  EXPECT_THAT(shop.run({"learn.units=2"}).reasons.at("learn"),
              HasSubstr("from the beginning, since what is there is further"));
}

}  // namespace
}  // namespace penstock::pipeline
