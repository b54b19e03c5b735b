// What a plan says of N ranks, and whether N ranks then do it: threads as ranks, up to 64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include <array>
#include <mutex>

#include "counting_communicator.h"
#include "distributed/local_communicator.h"
#include "expect_check.h"
#include "pipeline/run/shared_pass.h"
#include "stages/training/links.h"
#include "stages/training/scaling.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Fabric;
using distributed::Reproducible;
using testing::HasSubstr;

Workload small(int64_t global_batch, int64_t micro_batch) {
  Workload workload;
  workload.parameters.base_channels = 2;
  workload.parameters.depth = 2;
  workload.parameters.global_batch = global_batch;
  workload.parameters.micro_batch = micro_batch;
  workload.parameters.epochs = 3;
  workload.height = workload.width = 32;
  workload.samples = 100;
  return workload;
}

const Pace second_each{1, 0};
const distributed::Link no_latency{0, 1e6};
const Fabric fabric{no_latency, no_latency, 0};

// What one rank was given in a step, as its reducer and its communicator saw it.
struct Seen {
  int micro_shards = 0;
  size_t calls = 0, reduced_bytes = 0, scattered_bytes = 0, gathered_bytes = 0;
};

// Real reducers with the buckets of a training, a round of nothing but ones.
std::vector<Seen> steps_of(const Workload& workload, int ranks, bool overlap) {
  std::vector<Seen> seen(ranks);
  const auto layers = layers_of(workload.architecture(), workload.height, workload.width);
  distributed::run_local_ranks(ranks, [&](Communicator& bare) {
    Tally tally;
    CountingCommunicator counted(bare, tally);
    const auto mode = reproducible_of(workload.parameters);
    distributed::GradientReducer reducer(counted, gradient_buckets(parameter_slots(layers), statistic_count(layers)),
                                         {items_of(workload.parameters, ranks), mode, overlap});
    reducer.begin("a step");
    for (int shard = reducer.mine().first; shard < reducer.mine().second; ++shard) {
      std::fill_n(reducer.input(shard), reducer.length(), 1.0f);
      for (size_t bucket = 0; bucket < reducer.buckets().size(); ++bucket) reducer.ready(shard, bucket);
    }
    EXPECT_EQ(reducer.finish()[0], static_cast<float>(workload.parameters.micro_shards()));
    seen[bare.rank()] = {reducer.mine().second - reducer.mine().first, tally.calls, tally.reduced_bytes,
                         tally.scattered_bytes, tally.gathered_bytes};
  });
  return seen;
}

void expect_as_planned(Workload workload, int ranks, bool overlap) {
  workload.parameters.overlap = overlap ? "on" : "off";
  const RanksPlan plan = plan_ranks(workload, ranks, 1, std::nullopt, std::nullopt);
  Seen promised;
  for (const auto& exchange : plan.exchanges) {
    promised.calls += (exchange.reduced_bytes > 0) + (exchange.scattered_bytes > 0) + (exchange.gathered_bytes > 0);
    promised.reduced_bytes += exchange.reduced_bytes, promised.scattered_bytes += exchange.scattered_bytes,
        promised.gathered_bytes += exchange.gathered_bytes;
  }
  int fewest = INT_MAX, most = 0, idle = 0;
  for (const Seen& one : steps_of(workload, ranks, overlap)) {
    fewest = std::min(fewest, one.micro_shards), most = std::max(most, one.micro_shards), idle += one.micro_shards == 0;
    EXPECT_EQ((std::array{one.calls, one.reduced_bytes, one.scattered_bytes, one.gathered_bytes}),
              (std::array{promised.calls, promised.reduced_bytes, promised.scattered_bytes, promised.gathered_bytes}))
        << ranks << " ranks";
  }
  EXPECT_EQ((std::array{fewest, most, idle}), (std::array{plan.fewest, plan.most, plan.idle})) << ranks << " ranks";
}

class Ranks : public testing::TestWithParam<int> {};

TEST_P(Ranks, AreGivenTheMicroShardsAndBytesThatThePlanSays) {
  for (const char* reproducible : {"run", "world"}) {
    for (const int64_t global_batch : {16, 44, 128}) {
      Workload workload = small(global_batch, 2);
      workload.parameters.reproducible = reproducible;
      expect_as_planned(workload, GetParam(), global_batch == 44);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scaling, Ranks, testing::Values(1, 2, 3, 4, 5, 8, 13, 16, 32, 64));

TEST(Scaling, StepsAreFullAndTheirNumberIsRoundedUp) {
  const RanksPlan plan = plan_ranks(small(16, 4), 4, 1, std::nullopt, std::nullopt);
  EXPECT_EQ(plan.steps_per_epoch, 7);  // 100 samples
  EXPECT_EQ(plan.steps, 21);
  EXPECT_FALSE(plan.times.has_value()) << "nobody said how fast this machine is";
}

TEST(Scaling, AutoSumsAlongTheTreeUnlessNormsAreSynchronised) {
  TrainParameters parameters;
  EXPECT_EQ(reproducible_of(parameters), Reproducible::world);
  parameters.norm = "sync";
  EXPECT_EQ(reproducible_of(parameters), Reproducible::run);
}

TEST(Scaling, RanksBeyondTheMicroShardsAreIdleAndBuyNothing) {
  const Workload workload = small(16, 4);
  const RanksPlan four = plan_ranks(workload, 4, 1, second_each, Fabric{{0, 1e30}, {0, 1e30}, 0}),
                  six = plan_ranks(workload, 6, 1, second_each, Fabric{{0, 1e30}, {0, 1e30}, 0});
  EXPECT_EQ(six.idle, 2);
  EXPECT_DOUBLE_EQ(six.times->compute, four.times->compute);
}

TEST(Scaling, AStepWaitsForTheRankWithTheMostMicroShards) {
  const Workload workload = small(32, 4);  // 8 on 3 ranks: 3 + 3 + 2
  const RanksPlan plan = plan_ranks(workload, 3, 1, second_each, fabric);
  EXPECT_EQ(plan.most, 3);
  EXPECT_DOUBLE_EQ(plan.times->compute, 3);
  EXPECT_EQ(plan_ranks(workload, 3, 2, second_each, fabric).rounds, 2) << "two threads, three micro-shards";
}

TEST(Scaling, WithoutOverlapTheWholeExchangeIsExposed) {
  Workload workload = small(16, 4);
  workload.parameters.overlap = "off";
  const RanksPlan plan = plan_ranks(workload, 2, 1, second_each, fabric);
  EXPECT_DOUBLE_EQ(plan.times->exposed, plan.times->exchange);
  EXPECT_GT(plan.times->exchange, 0);
}

TEST(Scaling, WithoutOverlapTheTreeIsExchangedAtOnceAndAnAllReduceInBuckets) {
  Workload workload = small(16, 4);
  workload.parameters.base_channels = 32;
  workload.parameters.depth = 3;
  workload.parameters.overlap = "off";
  const size_t together = plan_ranks(workload, 2, 1, second_each, fabric).exchanges.size();
  workload.parameters.reproducible = "run";
  EXPECT_EQ(together, 1u);
  EXPECT_GT(plan_ranks(workload, 2, 1, second_each, fabric).exchanges.size(), 2u);
}

TEST(Scaling, WithOverlapAFastLinkExposesTheLastBucketAlone) {
  Workload workload = small(16, 4);
  workload.parameters.base_channels = 32;
  workload.parameters.depth = 3;
  const Fabric fast{{1e-6, 1e9}, {1e-6, 1e9}, 0};
  const RanksPlan plan = plan_ranks(workload, 2, 1, second_each, fast);
  ASSERT_GT(plan.exchanges.size(), 2u);
  EXPECT_NEAR(plan.times->exposed, distributed::seconds_of(plan.exchanges.back(), 2, fast), 1e-9);
  EXPECT_LT(plan.times->exposed, plan.times->exchange / 2);
}

TEST(Scaling, WithOverlapASlowLinkExposesAllButWhatBackwardHides) {
  Workload workload = small(16, 4);
  workload.parameters.base_channels = 32;
  workload.parameters.depth = 3;
  const Fabric slow{{0, 1e5}, {0, 1e5}, 0};
  const RanksPlan plan = plan_ranks(workload, 2, 1, second_each, slow);
  EXPECT_GT(plan.times->exposed, plan.times->exchange - 2.0 / 3)
      << "backward of a micro-shard is two thirds of its second";
  EXPECT_LT(plan.times->exposed, plan.times->exchange);
}

TEST(Scaling, APaceComesBackFromTheStepItMakes) {
  const Workload workload = small(48, 4);
  const Pace pace = pace_of(3.1, 0.1, workload.parameters, 2, 2);  // 6 micro-shards of a rank, three rounds
  EXPECT_DOUBLE_EQ(pace.micro_shard_seconds, 1);
  const RanksPlan plan = plan_ranks(workload, 2, 2, pace, Fabric{{0, 1e30}, {0, 1e30}, 0});
  EXPECT_NEAR(plan.times->step(), 3.1, 1e-9);
}

TEST(Scaling, NamesRankCountsThatShareEvenly) {
  EXPECT_EQ(even_ranks(12, 1, 5), (std::pair{4, 6}));
  EXPECT_EQ(even_ranks(12, 2, 5), (std::pair{3, 6}));
  EXPECT_EQ(even_ranks(4, 1, 9), (std::pair{4, 0}));
}

TEST(Scaling, SynchronisedNormsAreSummedTwiceEachAndNeverInATree) {
  Workload workload = small(16, 4);
  workload.parameters.norm = "sync";
  const RanksPlan plan = plan_ranks(workload, 2, 1, second_each, fabric);
  EXPECT_EQ(plan.norm_exchanges.size(), 2u * 10);  // five blocks of two norms
  EXPECT_EQ(plan.reproducible, Reproducible::run);
}

TEST(Scaling, ATallerBatchNeedsMoreMemoryAndSgdLess) {
  const double usual = plan_ranks(small(16, 4), 2, 1, std::nullopt, std::nullopt).memory.total();
  EXPECT_GT(plan_ranks(small(16, 8), 2, 1, std::nullopt, std::nullopt).memory.total(), usual);
  Workload bfloat16 = small(16, 4);
  bfloat16.parameters.precision = "bf16";
  EXPECT_LT(plan_ranks(bfloat16, 2, 1, std::nullopt, std::nullopt).memory.total(), usual);
  Workload sgd = small(16, 4);
  sgd.parameters.optimizer = "sgd";
  EXPECT_LT(plan_ranks(sgd, 2, 1, std::nullopt, std::nullopt).memory.total(), usual);
}

TEST(Scaling, SharedStagesHaveNoMoreBucketsThanThePlanSays) {
  std::vector<pipeline::Sample> samples;
  for (int i = 0; i < 1000; ++i) samples.push_back({"sample " + std::to_string(i), {}});
  EXPECT_EQ(pipeline::bucket_count(samples.size(), 32), 32u);
  EXPECT_EQ(pipeline::make_buckets(samples, 32).size(), 32u);
  EXPECT_LE(pipeline::make_buckets({samples.begin(), samples.begin() + 40}, 32).size(), pipeline::bucket_count(40, 32));
}

std::string refusal(const std::string& link) {
  return refusal_of([&] { link_of(link); }, ExitCode::usage);
}

TEST(Links, EveryFigureHasASource) {
  for (const NamedLink& link : known_links()) {
    EXPECT_FALSE(link.source.empty()) << link.name;
    EXPECT_GT(link.link.latency_seconds, 0) << link.name;
    EXPECT_GT(link.link.bytes_per_second, 1e9) << link.name;
  }
}

TEST(Links, FiguresMayBeGiven) {
  EXPECT_DOUBLE_EQ(link_of("5us,12GB/s").link.latency_seconds, 5e-6);
  EXPECT_DOUBLE_EQ(link_of("5us,12GB/s").link.bytes_per_second, 12e9);
  EXPECT_DOUBLE_EQ(link_of("0.5 ms, 100Gb/s").link.bytes_per_second, 12.5e9);
}

TEST(Links, AWrongNameIsAnsweredWithTheNearest) {
  EXPECT_THAT(refusal("infiniband-hrd"), HasSubstr("did you mean 'infiniband-hdr'?"));
  EXPECT_THAT(refusal("5us"), HasSubstr("5us,12GB/s"));
  EXPECT_THAT(refusal("5us,0GB/s"), HasSubstr("there is no link"));
}

TEST(Scaling, ACacheOfSamplesBoundsWhatTheyTake) {
  Workload workload = small(8, 2);
  workload.held = 1000;
  const auto samples = [&] { return plan_ranks(workload, 1, 1, std::nullopt, std::nullopt).memory.samples; };
  const double all = 1000.0 * 32 * 32 * 4;
  EXPECT_EQ(samples(), all);
  workload.parameters.cache_bytes = int64_t{100'000};
  EXPECT_EQ(samples(), 100'000);
  workload.parameters.cache_bytes = int64_t{1} << 40;
  EXPECT_EQ(samples(), all);
}

TEST(Scaling, ValuesOf16BitsTakeTwoBytesAndMasksOne) {
  Workload workload = small(8, 2);
  workload.held = 1000, workload.bits = 16;
  EXPECT_EQ(plan_ranks(workload, 1, 1, std::nullopt, std::nullopt).memory.samples, 1000.0 * 32 * 32 * 7);
}

// 1/sqrt(16) of each of 16 samples makes 4, 1/sqrt(4) of each of 4 makes 2: 20 crops fall 2 : 1.
TEST(BalancedCrops, AreInProportionToTheRootOfATypesNumberAndToTheArea) {
  std::vector<double> areas(20, 10.0);
  std::vector<std::string> looks(20, "fluorescence");
  for (const int rare : {3, 8, 9, 19}) looks[rare] = "stained";
  const auto total = [&](const std::vector<int64_t>& counts, const std::string& look) {
    int64_t sum = 0;
    for (size_t i = 0; i < counts.size(); ++i) sum += looks[i] == look ? counts[i] : 0;
    return sum;
  };
  const auto counts = balanced_crops(areas, looks);
  EXPECT_NEAR(static_cast<double>(total(counts, "fluorescence")), 200.0 * 2 / 3, 3);
  EXPECT_NEAR(static_cast<double>(total(counts, "stained")), 200.0 / 3, 3);
  EXPECT_EQ(total(counts, "fluorescence") + total(counts, "stained"), 200) << "as many as without";
  areas[3] = 30;
  EXPECT_NEAR(
      static_cast<double>(balanced_crops(areas, looks)[3]) / static_cast<double>(balanced_crops(areas, looks)[8]), 3,
      0.2);
}

TEST(BalancedCrops, OfATypeWithLargePicturesAreNoMoreForThat) {
  std::vector<double> areas(16, 5.0);
  std::vector<std::string> looks(16, "fluorescence");
  for (int i = 0; i < 4; ++i) areas.push_back(100), looks.push_back("brightfield");
  const auto counts = balanced_crops(areas, looks);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.begin() + 16, int64_t{0}), 320) << "480 by 4 : 2";
  EXPECT_EQ(std::accumulate(counts.begin() + 16, counts.end(), int64_t{0}), 160);
}

TEST(BalancedCrops, TakeEachSampleAtLeastOnceAndOneTypeAsWithout) {
  const std::vector<double> ones(100, 1.0);
  std::vector<std::string> looks(100, "fluorescence");
  EXPECT_EQ(balanced_crops(ones, looks), std::vector<int64_t>(100, 1));
  looks[0] = "stained";
  const auto counts = balanced_crops(ones, looks);
  EXPECT_EQ(counts[0], 9) << "100 / (sqrt(99) + 1)";
  EXPECT_EQ(std::vector<int64_t>(counts.begin() + 1, counts.end()), std::vector<int64_t>(99, 1));
  EXPECT_EQ(balanced_crops({}, {}), std::vector<int64_t>());
}

}  // namespace
}  // namespace penstock::stages
