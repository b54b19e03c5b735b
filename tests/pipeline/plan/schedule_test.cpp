// Which stage instance may come next, with the plan of a fresh store.
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"
#include "pipeline/plan/schedule.h"

namespace penstock::pipeline {
namespace {

// write -> upper -> sum, write -> reverse.
constexpr const char* diamond =
    "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.upper]\ninputs = { text = \"write.text\" "
    "}\n[stage.reverse]\ninputs = { text = \"write.text\" }\n"
    "[stage.sum]\ninputs = { text = \"upper.text\" }\n";

struct Planned {
  explicit Planned(const std::string& config) : shop(config), graph(shop.load().graph) {
    const Store store(shop.path("store"), Store::Mode::read_only);
    StatCache inputs(shop.path("cache"));
    plan = make_plan(graph, {}, store, inputs);
  }
  int node(const std::string& stage) const { return graph.node_of(graph.runs.front(), stage); }

  Workshop shop;
  Graph graph;
  Plan plan;
};

TEST(Schedule, AStageIsReadyWhenAllUpstreamEndedWell) {
  const Planned planned(diamond);
  Schedule schedule(planned.graph, planned.plan);
  EXPECT_EQ(schedule.ready(), std::vector<int>{planned.node("write")});
  schedule.start(planned.node("write"));
  EXPECT_TRUE(schedule.ready().empty());
  EXPECT_TRUE(schedule.end(planned.node("write"), true).empty());
  EXPECT_EQ(schedule.ready(), (std::vector<int>{planned.node("upper"), planned.node("reverse")}));
}

TEST(Schedule, AFailureEndsWhatCannotDoWithoutItAndNothingElse) {
  const Planned planned(diamond);
  Schedule schedule(planned.graph, planned.plan);
  schedule.start(planned.node("write"));
  schedule.end(planned.node("write"), true);
  schedule.start(planned.node("upper"));
  EXPECT_EQ(schedule.end(planned.node("upper"), false), std::vector<int>{planned.node("sum")});
  EXPECT_EQ(schedule.ready(), std::vector<int>{planned.node("reverse")});
  EXPECT_EQ(schedule.open(), 1u);
}

TEST(Schedule, ADamagedUpstreamRunsAgainBeforeWhoSawIt) {
  const Planned planned(diamond);
  Schedule schedule(planned.graph, planned.plan);
  for (const char* stage : {"write", "upper"}) {
    schedule.start(planned.node(stage));
    schedule.end(planned.node(stage), true);
  }
  schedule.start(planned.node("sum"));
  EXPECT_EQ(schedule.again(planned.node("sum"), {planned.node("upper")}), std::vector<int>{planned.node("upper")});
  EXPECT_EQ(schedule.ready(), (std::vector<int>{planned.node("upper"), planned.node("reverse")}));
  schedule.start(planned.node("upper"));
  schedule.end(planned.node("upper"), true);
  EXPECT_EQ(schedule.ready(), (std::vector<int>{planned.node("reverse"), planned.node("sum")}));
}

TEST(Schedule, RunsOfAMatrixComeOneAfterAnother) {
  const Planned planned(std::string(diamond) + "[matrix.axes]\n\"write.text\" = [\"a\", \"b\"]\n");
  Schedule schedule(planned.graph, planned.plan);
  const int second = planned.graph.node_of(planned.graph.runs[1], "write");
  schedule.start(planned.node("write"));
  schedule.end(planned.node("write"), true);
  EXPECT_EQ(schedule.ready(), (std::vector<int>{planned.node("upper"), planned.node("reverse"), second}));
}

}  // namespace
}  // namespace penstock::pipeline
