// What is predicted of a training without LibTorch, against the training itself.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "counting_communicator.h"
#include "distributed/local_communicator.h"
#include "stages/compute/step/host_step.h"
#include "stages/training/scaling.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

class Networks : public testing::TestWithParam<Architecture> {};

TEST_P(Networks, HaveTheLayoutThatArithmeticSays) {
  const FlatLayout layout = layout_of(*make_network(GetParam()));
  const auto layers = layers_of(GetParam(), 64, 64);
  std::vector<size_t> slots;
  for (const auto& slot : layout.parameters) slots.push_back(static_cast<size_t>(slot.count));
  EXPECT_EQ(parameter_slots(layers), slots);
  EXPECT_EQ(statistic_count(layers), layout.statistic_count);
}

INSTANTIATE_TEST_SUITE_P(Scaling, Networks,
                         testing::Values(Architecture{3, 16, 4, "batch", 0}, Architecture{1, 4, 1, "batch", 0.2},
                                         Architecture{3, 8, 3, "sync", 0}, Architecture{3, 12, 2, "group", 0},
                                         Architecture{1, 32, 2, "none", 0}, Architecture{3, 64, 4, "batch", 0}));

constexpr int side = 8;
const InputShape grid{side, side, 3};

// Steps of a real training on threads as ranks; what each rank handed to its communicator for them.
void expect_bytes_as_planned(TrainParameters parameters, int ranks, int steps, bool overlap) {
  parameters.overlap = overlap ? "on" : "off";
  std::vector<GridSample> samples(8);
  std::vector<int> order;
  for (int i = 0; i < 8; ++i) {
    samples[i].id = std::to_string(i);
    samples[i].width = samples[i].height = side;
    samples[i].image.assign(side * side * 3, static_cast<uint8_t>(i * 20));
    samples[i].mask.assign(side * side, static_cast<uint8_t>(i % 2));
    order.push_back(i);
  }
  Workload workload{parameters, 3, side, side, 8, 8};
  const RanksPlan plan = plan_ranks(workload, ranks, 1, std::nullopt, std::nullopt);
  std::array<size_t, 3> promised = {};
  for (const auto* exchanges : {&plan.exchanges, &plan.norm_exchanges}) {
    for (const auto& exchange : *exchanges)
      promised[0] += steps * exchange.reduced_bytes, promised[1] += steps * exchange.scattered_bytes,
          promised[2] += steps * exchange.gathered_bytes;
  }
  distributed::run_local_ranks(ranks, [&](Communicator& bare) {
    Tally tally;
    CountingCommunicator counted(bare, tally);
    HostStep state(parameters, workload.architecture(), grid, Normaliser{}, counted, 1, {plan.reproducible, overlap});
    for (int step = 0; step < steps; ++step) state.step(samples, order, 0, step, 1e-3, false);
    EXPECT_EQ((std::array{tally.reduced_bytes.load(), tally.scattered_bytes.load(), tally.gathered_bytes.load()}),
              promised)
        << ranks << " ranks";
  });
}

TrainParameters tiny(int64_t global_batch) {
  TrainParameters parameters;
  parameters.base_channels = 2;
  parameters.depth = 1;
  parameters.global_batch = global_batch;
  parameters.micro_batch = 1;
  parameters.augment = {};
  return parameters;
}

TEST(Scaling, RanksOfARealTrainingExchangeTheBytesOfThePlan) {
  for (const int ranks : {1, 2, 3, 8, 20}) {
    for (const char* reproducible : {"run", "world"}) {
      TrainParameters parameters = tiny(16);
      parameters.reproducible = reproducible;
      expect_bytes_as_planned(parameters, ranks, 2, ranks % 2 == 0);
    }
  }
}

TEST(Scaling, SoDoSixtyFour) { expect_bytes_as_planned(tiny(64), 64, 1, false); }

TEST(Scaling, SoDoRanksWithSynchronisedNorms) {
  TrainParameters parameters = tiny(8);
  parameters.norm = "sync";
  for (const int ranks : {2, 4}) expect_bytes_as_planned(parameters, ranks, 2, false);
}

// Every place of the epoch's order once, the last step's from the beginning again.
TEST(Scaling, RanksTakeTheSamplesOfThePlan) {
  const TrainParameters parameters = tiny(12);
  std::vector<int> order(40);
  for (int i = 0; i < 40; ++i) order[i] = i;
  for (int ranks = 1; ranks <= 64; ++ranks) {
    const RanksPlan plan = plan_ranks({parameters, 3, side, side, 40, 40}, ranks, 1, std::nullopt, std::nullopt);
    int64_t fewest = INT64_MAX, most = 0;
    std::multiset<int> taken;
    for (int rank = 0; rank < ranks; ++rank) {
      int64_t mine = 0;
      const auto [first, last] = distributed::micro_shards_of(rank, ranks, 12);
      for (int64_t step = 0; step < *plan.steps_per_epoch; ++step) {
        for (int shard = first; shard < last; ++shard) {
          for (const int index : micro_shard(order, step, shard, parameters.global_batch, parameters.micro_batch))
            taken.insert(index), ++mine;
        }
      }
      fewest = std::min(fewest, mine), most = std::max(most, mine);
    }
    EXPECT_EQ(fewest, plan.fewest * *plan.steps_per_epoch) << ranks;
    EXPECT_EQ(most, plan.most * *plan.steps_per_epoch) << ranks;
    EXPECT_EQ(taken.size(), 48u);
    EXPECT_EQ(std::set<int>(taken.begin(), taken.end()).size(), 40u);
  }
}

}  // namespace
}  // namespace penstock::stages
