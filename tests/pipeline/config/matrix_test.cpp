// What runs a matrix gives, and what it refuses before it gives any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "expect_check.h"
#include "pipeline/config/config.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct MixParameters {
  int64_t count = 1;
  double rate = 0.5;
  std::string word = "a";
  int64_t seed = 0;
  void describe(ParameterVisitor& visit) {
    visit("count", count, {.help = "an integer", .minimum = 1, .maximum = 1000});
    visit("rate", rate, {.help = "a number", .minimum = 0, .maximum = 10});
    visit("word", word, {.help = "a word", .choices = {"a", "b", "c"}});
    visit("seed", seed, {.help = "of nothing", .minimum = 0});
  }
};

StageTable kinds() {
  StageKind mix;
  mix.name = "mix";
  mix.outputs = {{.name = "out", .help = "nothing"}};
  mix.parameters = specifications_of<MixParameters>();
  StageKind gather;
  gather.name = "gather";
  gather.inputs = {{.name = "runs", .help = "mix.out", .many = true}};
  return {mix, gather};
}

const std::string mix = "schema = 1\n[stage.mix]\n";

// The graph's nodes point into the table.
Graph graph_of(const std::string& text) {
  static const StageTable table = kinds();
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "p.toml") << text;
  ConfigRequest request;
  request.file = folder.path() / "p.toml";
  return load_config(request, table).graph;
}

std::string refusal(const std::string& text) {
  return refusal_of([&] { graph_of(text); }, ExitCode::config);
}

std::vector<std::string> labels(const std::string& text) {
  std::vector<std::string> all;
  for (const Run& run : graph_of(text).runs) all.push_back(run.label());
  return all;
}

std::vector<Value> values_of(const Graph& graph, const std::string& parameter) {
  std::vector<Value> values;
  for (const Run& run : graph.runs) values.push_back(graph.nodes[graph.node_of(run, "mix")].value(parameter));
  return values;
}

std::set<std::string> ids_of(const Graph& graph) {
  std::set<std::string> ids;
  for (const Run& run : graph.runs) ids.insert(run.id);
  return ids;
}

TEST(Matrix, TheLastAxisTurnsFastestAndSeedsFasterStill) {
  EXPECT_THAT(labels(mix + "[matrix.axes]\n\"mix.word\" = [\"b\", \"c\"]\n\"mix.count\" = [3, 2]\n[matrix.seeds]\npath "
                           "= \"mix.seed\"\nvalues = [1]\n"),
              ElementsAre("mix.word=\"b\" mix.count=3 mix.seed=1", "mix.word=\"b\" mix.count=2 mix.seed=1",
                          "mix.word=\"c\" mix.count=3 mix.seed=1", "mix.word=\"c\" mix.count=2 mix.seed=1"));
}

TEST(Matrix, AKeyMayStandWithoutQuotes) {
  const auto quoted =
      ids_of(graph_of(mix + "[matrix.axes]\n\"mix.count\" = [1, 2]\n[[matrix.exclude]]\n\"mix.count\" = 2\n"));
  EXPECT_EQ(ids_of(graph_of(mix + "[matrix.axes]\nmix.count = [1, 2]\n[[matrix.exclude]]\nmix.count = 2\n")), quoted);
}

TEST(Matrix, AnIncludeAddsOneRunAndAloneIsTheWholeMatrix) {
  const std::string include = "[[matrix.include]]\n\"mix.count\" = 5\n";
  EXPECT_THAT(labels(mix + "[matrix.axes]\n\"mix.rate\" = [1, 2]\n" + include),
              ElementsAre("mix.rate=1.0", "mix.rate=2.0", "mix.count=5"));
  EXPECT_THAT(labels(mix + include), ElementsAre("mix.count=5"));
}

TEST(Matrix, ASetChangesTheRunsThatMatchAndKeepsTheOrderOfTheAxes) {
  EXPECT_THAT(labels(mix + "[matrix.axes]\n\"mix.count\" = [1, 2]\n\"mix.word\" = [\"a\"]\n[[matrix.set]]\nwhen = { "
                           "\"mix.count\" = 2 }\nset = { \"mix.count\" = 3, \"mix.rate\" = 0 }\n"),
              ElementsAre("mix.count=1 mix.word=\"a\"", "mix.count=3 mix.word=\"a\" mix.rate=0.0"));
}

TEST(Matrix, AConditionSeesTheStagesOwnValueWhereARunNamesNone) {
  EXPECT_THAT(labels(mix + "[[matrix.include]]\n\"mix.count\" = 2\n[[matrix.include]]\n\"mix.word\" = "
                           "\"b\"\n[[matrix.set]]\nwhen = { \"mix.word\" = \"a\" }\nset = { \"mix.rate\" = 1 }\n"),
              ElementsAre("mix.count=2 mix.rate=1.0", "mix.word=\"b\""));
}

// ---- samples ----
std::string sampled(const std::string& axes, int n) {
  return mix + "[matrix.axes]\n" + axes + "[matrix.sample]\nn = " + std::to_string(n) + "\nseed = 7\n";
}

TEST(Sample, RaisingNOnlyAddsRuns) {
  const std::string axes =
      "\"mix.rate\" = { log_uniform = [1e-5, 1e-2] }\n\"mix.count\" = { uniform = [1, 9] }\n\"mix.word\" = [\"a\", "
      "\"b\"]\n[[matrix.zip]]\n\"mix.seed\" = [1, 2]\n";
  const auto few = ids_of(graph_of(sampled(axes, 5))), many = ids_of(graph_of(sampled(axes, 40)));
  EXPECT_EQ(few.size(), 5u);
  EXPECT_EQ(many.size(), 40u);
  EXPECT_TRUE(std::includes(many.begin(), many.end(), few.begin(), few.end()));
}

TEST(Sample, ARangeOverAnIntegerParameterGivesIntegersWithBothEnds) {
  const std::vector<Value> values = values_of(graph_of(sampled("\"mix.count\" = { uniform = [2, 5] }\n", 4)), "count");
  for (const Value& value : values) EXPECT_TRUE(value.is_number_integer()) << value;
  EXPECT_THAT(values, UnorderedElementsAre(2, 3, 4, 5));
}

TEST(Sample, ALogRangeOverAnIntegerParameterGivesIntegersMostlySmall) {
  const std::vector<Value> values = values_of(
      graph_of(sampled("\"mix.count\" = { log_uniform = [1, 1000] }\n\"mix.rate\" = { uniform = [0, 1] }\n", 200)),
      "count");
  for (const Value& value : values) EXPECT_TRUE(value.is_number_integer() && value >= 1 && value <= 1000) << value;
  const auto small = std::count_if(values.begin(), values.end(), [](const Value& value) { return value <= 32; });
  EXPECT_GT(small, 75);
  EXPECT_LT(small, 125);
}

TEST(Sample, NumbersLieInTheirRangeAndAreAllDifferent) {
  const std::vector<Value> values = values_of(graph_of(sampled("\"mix.rate\" = { uniform = [2, 3] }\n", 50)), "rate");
  for (const Value& value : values) EXPECT_TRUE(value.is_number_float() && value >= 2 && value < 3) << value;
  EXPECT_EQ(std::set<Value>(values.begin(), values.end()).size(), 50u);
}

TEST(Sample, DrawsFromListsWithoutRepeatingARun) {
  const Graph graph = graph_of(sampled("\"mix.count\" = [1, 2, 3]\n\"mix.word\" = [\"a\", \"b\"]\n", 6));
  EXPECT_EQ(ids_of(graph).size(), 6u);
}

TEST(Sample, AnotherAxisLeavesTheDrawsOfTheFirstAsTheyAre) {
  const std::string rate = "\"mix.rate\" = { uniform = [0, 1] }\n";
  EXPECT_EQ(values_of(graph_of(sampled(rate, 5)), "rate"),
            values_of(graph_of(sampled(rate + "\"mix.word\" = [\"a\", \"b\"]\n", 5)), "rate"));
}

TEST(Sample, AnExcludeThatByChanceMeetsNoDrawIsNoError) {
  const std::string axes = "\"mix.count\" = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n\"mix.rate\" = { uniform = [0, 1] }\n";
  size_t refused = 0;
  for (int count = 1; count <= 9; ++count) {
    const std::string text =
        refusal(sampled(axes, 1) + "[[matrix.exclude]]\n\"mix.count\" = " + std::to_string(count) + "\n");
    EXPECT_THAT(text, testing::Not(HasSubstr("E403")));
    refused += text != "(accepted)";
  }
  EXPECT_EQ(refused, 1u) << "one of them takes the only run";
}

// ---- how many ----
std::string numbers(int last) {
  std::string list = "1";
  for (int i = 2; i <= last; ++i) list += ", " + std::to_string(i);
  return "[" + list + "]\n";
}

TEST(MaxRuns, AThousandRunsAreTakenAndOneMoreIsRefused) {
  EXPECT_EQ(graph_of(mix + "[matrix.axes]\n\"mix.count\" = " + numbers(1000)).runs.size(), 1000u);
  EXPECT_THAT(refusal(mix + "[matrix.axes]\n\"mix.seed\" = " + numbers(1001)),
              HasSubstr("error[E404]: the matrix gives 1,001 runs (1001); max_runs is 1000"));
}

// 10^12 runs would fill any memory: this test ends because they are counted before they are made.
TEST(MaxRuns, AHugeMatrixIsCountedAndNotMade) {
  const std::string text =
      refusal(mix + "[matrix.axes]\n\"mix.count\" = " + numbers(1000) + "\"mix.seed\" = " + numbers(100000) +
              "\"mix.rate\" = " + numbers(10) + "[matrix.seeds]\npath = \"mix.word\"\nvalues = [\"a\", \"b\"]\n");
  EXPECT_THAT(text, HasSubstr("2,000,000,000 runs (1000 x 100000 x 10, x 2 seeds); max_runs is 1000"));
  EXPECT_THAT(text, HasSubstr("the longest: 'mix.seed' has 100000 values"));
}

TEST(MaxRuns, WhatExcludesLeaveIsWhatCounts) {
  const std::string axes =
      "[matrix]\nmax_runs = 6\n[matrix.axes]\n\"mix.count\" = [1, 2, 3]\n\"mix.word\" = [\"a\", \"b\", \"c\"]\n";
  EXPECT_THAT(refusal(mix + axes), HasSubstr("9 runs (3 x 3); max_runs is 6"));
  EXPECT_EQ(labels(mix + axes + "[[matrix.exclude]]\n\"mix.word\" = \"c\"\n").size(), 6u);
}

TEST(MaxRuns, MayBeRaised) {
  EXPECT_EQ(graph_of(mix + "[matrix]\nmax_runs = 2000\n[matrix.axes]\n\"mix.seed\" = " + numbers(1500)).runs.size(),
            1500u);
}

// ---- fan-in ----
TEST(FanIn, GathersOverAnAxisAZipsColumnAndTheSeeds) {
  for (const std::string axis : {"mix.count", "mix.word", "mix.seed"}) {
    const std::string text =
        mix + "[stage.gather]\ninputs = { runs = \"mix.out[" + axis +
        "]\" }\n[matrix.axes]\n\"mix.count\" = [1, 2]\n[[matrix.zip]]\n\"mix.word\" = [\"a\", \"b\"]\n" +
        "[matrix.seeds]\npath = \"mix.seed\"\nvalues = [1, 2]\n";
    const Graph graph = graph_of(text);
    EXPECT_EQ(graph.nodes.size(), 8u + 4u) << axis;
  }
}

TEST(FanIn, OverAllRunsNeedsNoMatrix) {
  EXPECT_EQ(graph_of(mix + "[stage.gather]\ninputs = { runs = \"mix.out[*]\" }\n").nodes.size(), 2u);
}

}  // namespace
}  // namespace penstock::pipeline
