#include <gtest/gtest.h>

#include <set>

#include "pipeline/run/shared_pass.h"

namespace penstock::pipeline {
namespace {

std::vector<Sample> samples(int count) {
  std::vector<Sample> all;
  for (int i = 0; i < count; ++i) all.push_back({"sample-" + std::to_string(i), {}});
  return all;
}

TEST(Buckets, HoldAtLeastOneSample) { EXPECT_THROW(make_buckets(samples(3), 0), Error); }

TEST(Buckets, HoldEverySampleOnceAndAPowerOfTwoOfThem) {
  const auto buckets = make_buckets(samples(1000), 32);
  EXPECT_LE(buckets.size(), 32u);
  EXPECT_GT(buckets.size(), 24u);
  std::set<std::string> ids;
  for (const Bucket& bucket : buckets) {
    for (const Sample& sample : bucket.members) EXPECT_TRUE(ids.insert(sample.id).second);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(Buckets, ASampleStaysInItsBucketWhenOthersAreAdded) {
  const auto before = make_buckets(samples(900), 32), after = make_buckets(samples(1000), 32);
  std::map<std::string, std::string> bucket_of;
  for (const Bucket& bucket : after) {
    for (const Sample& sample : bucket.members) bucket_of[sample.id] = bucket.name;
  }
  for (const Bucket& bucket : before) {
    for (const Sample& sample : bucket.members) EXPECT_EQ(bucket_of.at(sample.id), bucket.name);
  }
}

TEST(Buckets, OneSampleIsOneBucket) { EXPECT_EQ(make_buckets(samples(1), 32).size(), 1u); }

TEST(Buckets, TwoSamplesOfOneIdAreRefused) {
  auto twice = samples(3);
  twice.push_back(twice.front());
  EXPECT_THROW(make_buckets(twice, 32), Error);
}

}  // namespace
}  // namespace penstock::pipeline
