// Sums over micro-shards, with threads as ranks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "distributed/local_communicator.h"
#include "distributed/reducer/gradient_reducer.h"

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

// What every rank returned, which must be one vector. Buckets of a third or so of the vector, from its end.
std::vector<float> reduce(const std::vector<std::vector<float>>& shards, int ranks, Reproducible mode,
                          bool overlap = false) {
  std::mutex mutex;
  std::vector<float> first;
  run_local_ranks(ranks, [&](Communicator& communicator) {
    GradientReducer reducer(communicator, bucket_layout({50, 60, 70, 70}, 7, 130, 55),
                            {static_cast<int>(shards.size()), mode, overlap});
    EXPECT_EQ(reducer.length(), length);
    for (int step = 0; step < 2; ++step) {  // the second must not see the first
      reducer.begin("step " + std::to_string(step));
      std::vector<std::thread> workers;
      for (int shard = reducer.mine().first; shard < reducer.mine().second; ++shard) {
        workers.emplace_back([&, shard] {
          for (size_t bucket = 0; bucket < reducer.buckets().size(); ++bucket) {
            const auto [begin, end] = reducer.buckets()[bucket];
            std::copy(shards[shard].begin() + begin, shards[shard].begin() + end, reducer.input(shard) + begin);
            reducer.ready(shard, bucket);
          }
        });
      }
      for (std::thread& worker : workers) worker.join();
      const float* sum = reducer.finish();
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

TEST(GradientReducer, OverlapChangesNoBit) {
  for (const int micro_shards : {1, 4, 6}) {
    const auto shards = random_shards(micro_shards);
    for (const auto mode : {Reproducible::run, Reproducible::world}) {
      for (const int ranks : {2, 3, 8}) {
        const auto expected = reduce(shards, ranks, mode), sum = reduce(shards, ranks, mode, true);
        EXPECT_EQ(std::memcmp(expected.data(), sum.data(), length * sizeof(float)), 0)
            << micro_shards << " on " << ranks;
      }
    }
  }
}

TEST(BucketLayout, HoldsEverySlotOnceFromTheEndToTheBeginning) {
  const std::vector<size_t> slots = {10, 20, 300, 40, 50};
  for (const size_t cap : {1, 60, 100, 1000}) {
    for (const size_t last : {1, 15, 40, 1000}) {
      const auto buckets = bucket_layout(slots, 5, cap, last);
      size_t end = 425;
      for (const Bucket& bucket : buckets) {
        EXPECT_EQ(bucket.end, end);
        EXPECT_LT(bucket.begin, bucket.end);
        end = bucket.begin;
      }
      EXPECT_EQ(end, 0u);
    }
  }
}

TEST(BucketLayout, EveryBucketHoldsASlot) {
  EXPECT_EQ(bucket_layout({10, 20}, 5, 1000, 1000), (std::vector<Bucket>{{0, 35}}));
  EXPECT_EQ(bucket_layout({10, 20}, 500, 10, 1000), (std::vector<Bucket>{{0, 530}}));
}

TEST(BucketLayout, KeepsToItsCapsWhereSlotsAllow) {
  EXPECT_EQ(bucket_layout({10, 20, 300, 40, 50}, 5, 100, 30), (std::vector<Bucket>{{330, 425}, {30, 330}, {0, 30}}));
}

TEST(BucketLayout, OfTrainingHoldsASmallPartOfTheWholeEach) {
  const auto buckets = standard_buckets(std::vector<size_t>(400, 10'000), 0);
  EXPECT_EQ(buckets.front(), (Bucket{3'880'000, 4'000'000}));
  EXPECT_EQ(buckets.back(), (Bucket{0, 60'000})) << "the last, whose reduction nothing hides, is smaller";
}

TEST(BucketLayout, OfTrainingIsOneBucketForASmallNetwork) {
  EXPECT_EQ(standard_buckets({1'000, 2'000, 3'000}, 100).size(), 1u);
}

TEST(BucketLayout, OfTrainingIsAtMostFourMebibytesABucket) {
  for (const Bucket& bucket : standard_buckets(std::vector<size_t>(1'000, 100'000), 0))
    EXPECT_LE((bucket.end - bucket.begin) * sizeof(float), size_t{4} << 20);
}

TEST(BucketLayout, JoinsBucketsUpToACapAndLosesNone) {
  const std::vector<Bucket> buckets = {{90, 100}, {60, 90}, {40, 60}, {10, 40}, {0, 10}};
  EXPECT_EQ(joined(buckets, 60), (std::vector<Bucket>{{40, 100}, {0, 40}}));
  EXPECT_EQ(joined(buckets, 100), (std::vector<Bucket>{{0, 100}}));
  EXPECT_EQ(joined(buckets, 5), buckets);
}

// More than goes at once, in three exchanges: integers, whose sums are exact.
TEST(GradientReducer, ALongVectorIsExchangedInPartsAndEachElementOnce) {
  const std::vector<size_t> slots(9, 1'000'000);
  const auto value = [](int shard, size_t i) {
    return static_cast<float>((i * 7 + static_cast<size_t>(shard) * 13) % 1000);
  };
  const auto buckets = bucket_layout(slots, 5, 1'000'000, 1'000'000);
  ASSERT_EQ(exchanged_at_once(buckets, Reproducible::world, false).size(), 3u);
  run_local_ranks(3, [&](Communicator& communicator) {
    GradientReducer reducer(communicator, buckets, {4, Reproducible::world, false});
    reducer.begin("a step");
    for (int shard = reducer.mine().first; shard < reducer.mine().second; ++shard) {
      for (size_t i = 0; i < reducer.length(); ++i) reducer.input(shard)[i] = value(shard, i);
      for (size_t bucket = 0; bucket < buckets.size(); ++bucket) reducer.ready(shard, bucket);
    }
    const float* sum = reducer.finish();
    size_t wrong = 0;
    for (size_t i = 0; i < reducer.length(); ++i)
      wrong += sum[i] != value(0, i) + value(1, i) + value(2, i) + value(3, i);
    EXPECT_EQ(wrong, 0u) << "rank " << communicator.rank();
  });
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
