// What `penstock bench` says, on threads as ranks: that every comparison compares, not how fast anything is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "distributed/local_communicator.h"
#include "stages/compute/bench.h"

namespace penstock::stages {
namespace {

BenchRequest small(const std::string& compare) {
  BenchRequest request;
  request.what = "train";
  request.base_channels = 2;
  request.depth = 1;
  request.size = 16;
  request.global_batch = 4;
  request.micro_batch = 1;
  request.device = "cpu";
  request.steps = 23;  // more than one pair is made for
  request.compare = compare;
  return request;
}

pipeline::Value said(const BenchRequest& request, int ranks) {
  pipeline::Value result;
  distributed::run_local_ranks(ranks, [&](distributed::Communicator& communicator) {
    auto mine = bench(request, communicator, 1);
    if (communicator.rank() == 0) result = std::move(mine);
  });
  return result;
}

struct Case {
  const char* compare;
  const char* b;
  int ranks;
};
class Comparisons : public testing::TestWithParam<Case> {};

TEST_P(Comparisons, TakeEveryStepBothWays) {
  const pipeline::Value result = said(small(GetParam().compare), GetParam().ranks);
  EXPECT_EQ(result.at("a"), GetParam().compare);
  EXPECT_EQ(result.at("b"), GetParam().b);
  for (const char* way : {GetParam().compare, GetParam().b})
    EXPECT_EQ(result.at(way).at("step_seconds").at("n"), 23) << way;
  EXPECT_EQ(result.at("ratio").at("n"), 23);
}

INSTANTIATE_TEST_SUITE_P(Bench, Comparisons,
                         testing::Values(Case{"reducer", "none", 1}, Case{"world", "run", 3},
                                         Case{"overlap", "after", 2}, Case{"graph", "eager", 2}),
                         [](const auto& one) { return std::string(one.param.compare); });

TEST(Bench, RefusesToCompareWaysThatSynchronisedNormsDoNotHave) {
  for (const char* compare : {"world", "reducer"}) {
    BenchRequest request = small(compare);
    request.norm = "sync";
    try {
      said(request, 1);
      ADD_FAILURE() << compare;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.what(), testing::HasSubstr("not with --norm sync"));
    }
  }
}

}  // namespace
}  // namespace penstock::stages
