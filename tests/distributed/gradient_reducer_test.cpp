// Sums over micro-shards, with threads as ranks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <random>

#include "distributed/gradient_reducer.h"
#include "distributed/local_communicator.h"

namespace penstock::distributed {
namespace {

constexpr size_t length = 257;

std::vector<std::vector<float>> random_shards(int count) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 1);
  std::vector<std::vector<float>> shards(count, std::vector<float>(length));
  for (auto& shard : shards) {
    for (float& value : shard) value = normal(random) * std::pow(10.0f, normal(random));
  }
  return shards;
}

// What every rank returned, which must be one vector.
std::vector<float> reduce(const std::vector<std::vector<float>>& shards, int ranks, Reproducible mode) {
  std::mutex mutex;
  std::vector<float> first;
  run_local_ranks(ranks, [&](Communicator& communicator) {
    GradientReducer reducer(communicator, static_cast<int>(shards.size()), length, mode);
    for (int step = 0; step < 2; ++step) {  // the second must not see the first
      for (int shard = reducer.mine().first; shard < reducer.mine().second; ++shard) {
        std::copy(shards[shard].begin(), shards[shard].end(), reducer.input(shard));
      }
      const float* sum = reducer.reduce("test");
      const std::lock_guard lock(mutex);
      if (first.empty()) first.assign(sum, sum + length);
      EXPECT_EQ(std::memcmp(first.data(), sum, length * sizeof(float)), 0) << "rank " << communicator.rank();
    }
  });
  return first;
}

TEST(GradientReducer, WorldGivesTheSameBitsForAnyRankCount) {
  for (const int micro_shards : {1, 2, 3, 4, 5, 6, 8, 11, 16}) {
    const auto shards = random_shards(micro_shards);
    const auto expected = reduce(shards, 1, Reproducible::world);
    for (int ranks = 2; ranks <= 9; ++ranks) {
      const auto sum = reduce(shards, ranks, Reproducible::world);
      EXPECT_EQ(std::memcmp(expected.data(), sum.data(), length * sizeof(float)), 0) << micro_shards << " on " << ranks;
    }
  }
}

// The bound of a sum of n terms in float32: n * 2^-24 times the sum of magnitudes (Higham 2002, section 4.2).
TEST(GradientReducer, RunAgreesToRoundingAtOneTwoAndFourRanks) {
  const auto shards = random_shards(8);
  for (const int ranks : {1, 2, 4}) {
    const auto sum = reduce(shards, ranks, Reproducible::run);
    for (size_t i = 0; i < length; ++i) {
      double exact = 0, magnitude = 0;
      for (const auto& shard : shards) exact += shard[i], magnitude += std::abs(shard[i]);
      EXPECT_NEAR(sum[i], exact, 8 * 0x1p-24 * magnitude);
    }
  }
}

TEST(GradientReducer, EveryMicroShardHasOneOwner) {
  for (int micro_shards = 1; micro_shards < 20; ++micro_shards) {
    for (int ranks = 1; ranks < 24; ++ranks) {
      int next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto [first, last] = micro_shards_of(rank, ranks, micro_shards);
        EXPECT_EQ(first, next);
        next = last;
      }
      EXPECT_EQ(next, micro_shards);
    }
  }
}

}  // namespace
}  // namespace penstock::distributed
