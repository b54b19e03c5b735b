// The cache of samples: what it hands out never depends on what it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>

#include "distributed/error.h"
#include "stages/compute/data/sample_cache.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

using testing::ElementsAre;

constexpr int64_t sample_bytes = 10;

// Samples of ten bytes, each its number; and in which order they were read.
class Shelf {
 public:
  SampleCache::Store store() {
    return {[this](int number) { return read(number); }, [](int) { return sample_bytes; }};
  }
  std::vector<int> reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }
  // Waits until so many were read; false: that takes too long.
  bool wait_for(size_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      if (reads().size() >= count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  std::atomic<int> damaged{-1};

 private:
  StoredPixels read(int number) {
    const std::lock_guard lock(mutex_);
    reads_.push_back(number);
    if (number == damaged) throw Error(ExitCode::data, "shard 3.h5 is damaged");
    return {std::vector<uint8_t>(sample_bytes, static_cast<uint8_t>(number)), {}, {}};
  }

  mutable std::mutex mutex_;
  std::vector<int> reads_;
};

int number_in(const SamplePixels& pixels) {
  EXPECT_EQ(pixels.image.size(), static_cast<size_t>(sample_bytes));
  return pixels.image[9];
}

// Time for the reading thread to do what it should not.
void leave_time() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

TEST(SampleCache, ReadsAheadInTheExpectedOrderUpToAQuarterOfItself) {
  Shelf shelf;
  SampleCache cache(shelf.store(), 9, 8 * sample_bytes);
  cache.expect({4, 2, 7, 1, 0});
  ASSERT_TRUE(shelf.wait_for(2));
  leave_time();
  EXPECT_THAT(shelf.reads(), ElementsAre(4, 2));
  EXPECT_EQ(number_in(cache.pixels(4)), 4);
  ASSERT_TRUE(shelf.wait_for(3));
  EXPECT_EQ(number_in(cache.pixels(2)), 2);
  ASSERT_TRUE(shelf.wait_for(4));
  EXPECT_THAT(shelf.reads(), ElementsAre(4, 2, 7, 1));
  EXPECT_EQ(cache.figures().found, 2);
}

TEST(SampleCache, ReadsOnceWhatItHasRoomFor) {
  Shelf shelf;
  SampleCache cache(shelf.store(), 4, 16 * sample_bytes);
  for (int epoch = 0; epoch < 3; ++epoch) {
    cache.expect({0, 1, 2, 3, 3, 2, 1, 0});
    ASSERT_TRUE(shelf.wait_for(4));
    leave_time();
    for (const int number : {0, 1, 2, 3}) EXPECT_EQ(number_in(cache.pixels(number)), number);
    cache.passed(4);
  }
  EXPECT_THAT(shelf.reads(), ElementsAre(0, 1, 2, 3));
}

TEST(SampleCache, LetsGoOfWhatIsNeededLast) {
  Shelf shelf;
  SampleCache cache(shelf.store(), 6, 4 * sample_bytes);
  cache.expect({0, 1, 2, 3, 4, 1, 2, 3, 0});
  for (const int number : {0, 1, 2, 3, 4}) {
    ASSERT_TRUE(shelf.wait_for(static_cast<size_t>(number) + 1));
    EXPECT_EQ(number_in(cache.pixels(number)), number);
  }
  for (const int number : {1, 2, 3}) EXPECT_EQ(number_in(cache.pixels(number)), number);
  cache.passed(8);  // also those that were asked for before the reading thread came to them
  ASSERT_TRUE(shelf.wait_for(6));
  leave_time();
  EXPECT_THAT(shelf.reads(), ElementsAre(0, 1, 2, 3, 4, 0)) << "the fifth took the place of 0, not of 1";
}

// In any order, from several threads, with samples that were not expected and some that are never asked for.
TEST(SampleCache, NeverKeepsMoreThanItsLimitAndNeverGivesAnotherSample) {
  for (const int64_t limit : {int64_t{1}, sample_bytes, 3 * sample_bytes, 20 * sample_bytes, 1000 * sample_bytes}) {
    Shelf shelf;
    SampleCache cache(shelf.store(), 100, limit);
    for (int epoch = 0; epoch < 4; ++epoch) {
      const Draws draws(epoch, "test calls");
      std::vector<int> calls;
      for (uint64_t i = 0; i < 200; ++i) calls.push_back(static_cast<int>(draws.below(i, 100)));
      cache.expect(calls);
      for (size_t step = 0; step < 200; step += 20) {
        cache.passed(step);
        if (step == 60) continue;  // a step that is left out
        std::vector<std::thread> threads;
        for (size_t t = 0; t < 4; ++t) {
          threads.emplace_back([&, t] {
            for (size_t i = step + t * 5; i < step + t * 5 + 5; ++i) {
              EXPECT_EQ(number_in(cache.pixels(calls[i])), calls[i]);
              if (i % 7 != 0) continue;
              EXPECT_EQ(number_in(cache.pixels(99)), 99) << "not expected";
            }
          });
        }
        for (std::thread& thread : threads) thread.join();
      }
    }
    EXPECT_LE(cache.figures().most_bytes, limit);
  }
}

TEST(SampleCache, WhatWasHandedOutStaysWhenItIsNoLongerKept) {
  Shelf shelf;
  SamplePixels first;
  {
    SampleCache cache(shelf.store(), 3, sample_bytes);
    cache.expect({0, 1, 2});
    ASSERT_TRUE(shelf.wait_for(1));
    first = cache.pixels(0);
    ASSERT_TRUE(shelf.wait_for(2));
  }
  EXPECT_EQ(number_in(first), 0);
}

TEST(SampleCache, AnErrorReachesWhoAsksForTheSampleAndNobodyElse) {
  Shelf shelf;
  shelf.damaged = 1;
  SampleCache cache(shelf.store(), 3, 100 * sample_bytes);
  cache.expect({0, 1, 2});
  ASSERT_TRUE(shelf.wait_for(3));
  EXPECT_EQ(number_in(cache.pixels(0)), 0);
  EXPECT_EQ(number_in(cache.pixels(2)), 2);
  EXPECT_THROW(cache.pixels(1), Error);
  shelf.damaged = -1;
  EXPECT_EQ(number_in(cache.pixels(1)), 1);
}

TEST(SampleCache, TellsHowLongItsCallersStoodStill) {
  SampleCache cache({[](int) {
                       std::this_thread::sleep_for(std::chrono::milliseconds(20));
                       return StoredPixels{std::vector<uint8_t>(sample_bytes), {}, {}};
                     },
                     [](int) { return sample_bytes; }},
                    2, 100 * sample_bytes);
  cache.pixels(0);
  EXPECT_EQ(cache.figures().waited, 1);
  EXPECT_GE(cache.figures().waited_seconds, 0.02);
}

}  // namespace
}  // namespace penstock::stages
