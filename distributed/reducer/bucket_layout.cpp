#include "distributed/reducer/bucket_layout.h"

#include <algorithm>
#include <numeric>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr size_t smallest_bucket = (size_t{256} << 10) / sizeof(float),
                 largest_bucket = (size_t{4} << 20) / sizeof(float);  // elements
constexpr size_t buckets_aimed_at = 32;

}  // namespace

std::vector<Bucket> bucket_layout(const std::vector<size_t>& slots, size_t tail, size_t cap, size_t last) {
  // The slots of the last bucket: the longest run from the beginning that fits, one at least.
  size_t first_slots = std::min<size_t>(slots.size(), 1), begin = slots.empty() ? 0 : slots.front();
  while (first_slots < slots.size() && begin + slots[first_slots] <= last) begin += slots[first_slots++];

  size_t end = tail;
  for (const size_t slot : slots) end += slot;
  if (first_slots == slots.size()) return {{0, end}};  // no bucket without a slot: nothing would say that it is ready
  std::vector<Bucket> buckets;
  Bucket open{end - tail, end};
  for (size_t index = slots.size(); index-- > first_slots;) {
    if (open.end - open.begin > 0 && open.end - open.begin + slots[index] > cap && open.begin < end - tail) {
      buckets.push_back(open);
      open = {open.begin, open.begin};
    }
    open.begin -= slots[index];
  }
  if (open.end > open.begin) buckets.push_back(open);
  if (begin > 0) buckets.push_back({0, begin});
  return buckets;
}

size_t bucket_of(const std::vector<Bucket>& buckets, size_t element) {
  const auto found = std::find_if(buckets.begin(), buckets.end(), [element](const Bucket& bucket) {
    return bucket.begin <= element && element < bucket.end;
  });
  PENSTOCK_CHECK(found != buckets.end(), "an element lies within the vector that the buckets cover");
  return static_cast<size_t>(found - buckets.begin());
}

std::vector<Bucket> joined(const std::vector<Bucket>& buckets, size_t cap) {
  std::vector<Bucket> all;
  for (const Bucket& bucket : buckets) {
    if (!all.empty() && all.back().begin == bucket.end && all.back().end - bucket.begin <= cap) {
      all.back().begin = bucket.begin;
    } else {
      all.push_back(bucket);
    }
  }
  return all;
}

std::vector<Bucket> standard_buckets(const std::vector<size_t>& slots, size_t tail) {
  const size_t whole = std::accumulate(slots.begin(), slots.end(), tail);
  return bucket_layout(slots, tail, std::clamp(whole / buckets_aimed_at, smallest_bucket, largest_bucket),
                       smallest_bucket);
}

}  // namespace penstock::distributed
