// A selection that matches nothing is an error: a run without work would look like one that was done before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"

namespace penstock::pipeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string three_runs = std::string(chain) + "[matrix.axes]\n\"upper.repeat\" = [1, 2, 3]\n";

// What is said of a plan with this selection; "" when one is made.
std::string refusal(const std::string& config, const Selection& selection) {
  const Workshop shop(config);
  const Graph graph = shop.load({}).graph;
  const Store store(graph.store, Store::Mode::read_only);
  StatCache inputs(shop.path("cache"));
  try {
    make_plan(graph, selection, store, inputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "";
}

std::string refusal(const std::string& select, const std::string& part = "") {
  Selection selection;
  selection.runs = RunFilter::parse(select, part);
  return refusal(three_runs, selection);
}

TEST(Selection, ConditionsThatNoRunMeetsNameTheValuesThatThereAre) {
  EXPECT_THAT(refusal("upper.repeat=5"),
              AllOf(HasSubstr("none of 3 runs meets 'upper.repeat=5'"), HasSubstr("upper.repeat is 1, 2, 3")));
  EXPECT_THAT(refusal("upper.repeat=\"two\""), HasSubstr("upper.repeat is 1, 2, 3"));
  EXPECT_THAT(refusal("upper.repeat>1, write.text=\"other\""),
              AllOf(HasSubstr("upper.repeat is 1, 2, 3"), HasSubstr("write.text is \"hello\"")));
  EXPECT_EQ(refusal("upper.repeat>=3"), "");
}

TEST(Selection, ARunThatThereIsNotNamesTheRunsThatThereAre) {
  const Workshop shop(three_runs);
  const Graph graph = shop.load({}).graph;
  EXPECT_THAT(refusal("run=zz"), HasSubstr(graph.runs[0].id + ", " + graph.runs[1].id));
}

TEST(Selection, ConditionsOfCommasAloneAreNone) {
  EXPECT_THROW(RunFilter::parse(",", ""), Error);
  EXPECT_THROW(RunFilter::parse(" ", ""), Error);
}

TEST(Selection, APartIsEmptyByChanceOrBecauseThereAreTooMany) {
  int empty = 0;
  for (int part = 1; part <= 3; ++part) {
    EXPECT_EQ(refusal("", std::to_string(part) + "/3"), "") << "runs are dealt by their ids: a part may get none";
  }
  for (int part = 1; part <= 50; ++part) {
    const std::string said = refusal("", std::to_string(part) + "/50");
    if (said.empty()) continue;
    ++empty;
    EXPECT_THAT(said, HasSubstr("there are 3 runs"));
  }
  EXPECT_GE(empty, 47);
}

TEST(Selection, AStageThatTheTargetsDoNotDependOnCannotBeForcedOrBegunWith) {
  Selection selection;
  selection.until = "upper";
  selection.forced = {"reverse"};
  EXPECT_THAT(refusal(chain, selection),
              AllOf(HasSubstr("--force=reverse"), HasSubstr("the targets (upper) do not depend on it")));
  selection.forced = {"write"};
  EXPECT_EQ(refusal(chain, selection), "");
  selection.from = "reverse";
  EXPECT_THAT(refusal(chain, selection), HasSubstr("--from reverse"));
}

TEST(Selection, AStageThatThereIsNotNamesThoseThatThereAre) {
  Selection selection;
  selection.only = "nonsense";
  EXPECT_THAT(refusal(chain, selection), HasSubstr("known: write, upper, reverse"));
}

}  // namespace
}  // namespace penstock::pipeline
