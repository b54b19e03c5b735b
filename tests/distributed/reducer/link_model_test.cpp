// How long collectives take, and how much they move, without running any.
#include <gtest/gtest.h>

#include "distributed/reducer/link_model.h"

namespace penstock::distributed {
namespace {

const Link slow{10e-6, 1e9}, fast{1e-6, 100e9};
const Fabric one_node{slow, slow, 0}, nodes_of_four{fast, slow, 4};

TEST(LinkModel, ARingAllReduceSendsEachPartTwiceRound) {
  EXPECT_DOUBLE_EQ(all_reduce_seconds(4e6, 4, one_node), 2 * 3 * (10e-6 + 1e6 / 1e9));
  EXPECT_DOUBLE_EQ(all_reduce_seconds(4e6, 1, one_node), 0);
}

TEST(LinkModel, TheSlowestLinkOfARingDecides) {
  EXPECT_DOUBLE_EQ(all_reduce_seconds(4e6, 4, nodes_of_four), 2 * 3 * (1e-6 + 1e6 / 100e9)) << "within one node";
  EXPECT_DOUBLE_EQ(all_reduce_seconds(8e6, 8, nodes_of_four), 2 * 7 * (10e-6 + 1e6 / 1e9)) << "over two";
  EXPECT_DOUBLE_EQ(all_gather_seconds(1e6, 8, nodes_of_four), 7 * (10e-6 + 1e6 / 1e9));
}

TEST(LinkModel, RanksOfANodeShareItsLinkInAnAllToAll) {
  // Four ranks each send four of eight parts of 1 MB to the other node.
  EXPECT_DOUBLE_EQ(all_to_all_seconds(8e6, 8, nodes_of_four), 3 * 1e-6 + 4 * 10e-6 + 4 * 4 * 1e6 / 1e9);
  EXPECT_DOUBLE_EQ(all_to_all_seconds(8e6, 8, one_node), 7 * (10e-6 + 1e6 / 1e9));
}

TEST(LinkModel, ALoneRankTakesNoTime) {
  EXPECT_TRUE(exchanges_of({{0, 100}}, 1, 4, Reproducible::world).empty());
  EXPECT_EQ(seconds_of({400, 0, 0}, 1, one_node), 0);
}

TEST(LinkModel, FindsTheLinkThatTimesWereMadeWith) {
  std::vector<double> bytes, seconds;
  for (double size = 4e3; size < 5e7; size *= 8) {
    bytes.push_back(size);
    seconds.push_back(all_reduce_seconds(size, 3, {slow, slow, 0}));
  }
  const Link found = fit_link(bytes, seconds, 3);
  EXPECT_NEAR(found.latency_seconds, slow.latency_seconds, 1e-9);
  EXPECT_NEAR(found.bytes_per_second, slow.bytes_per_second, 1e3);
}

TEST(LinkModel, OfTimesThatNoLatencyExplainsNoneIsNegative) {
  const Link found = fit_link({1e3, 1e6}, {1e-9, 1e-2}, 2);
  EXPECT_GE(found.latency_seconds, 0);
  EXPECT_GT(found.bytes_per_second, 0);
}

}  // namespace
}  // namespace penstock::distributed
