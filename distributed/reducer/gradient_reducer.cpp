#include "distributed/reducer/gradient_reducer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr size_t largest_exchange = (size_t{16} << 20) / sizeof(float);  // elements

void add(float* to, const float* from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] += from[i];
}

// Buckets cover the vector once, from its end to its beginning: else elements would be summed twice or never.
void check_buckets(const std::vector<Bucket>& buckets) {
  PENSTOCK_CHECK(!buckets.empty() && buckets.back().begin == 0, "the buckets of a vector reach its beginning");
  for (size_t i = 0; i < buckets.size(); ++i) {
    PENSTOCK_CHECK(buckets[i].begin < buckets[i].end && (i == 0 || buckets[i].end == buckets[i - 1].begin),
                   fmt::format("bucket {} ends where the one before it begins, found [{}, {})", i, buckets[i].begin,
                               buckets[i].end));
  }
}

}  // namespace

std::pair<int, int> micro_shards_of(int rank, int ranks, int micro_shards) {
  PENSTOCK_CHECK(rank >= 0 && rank < ranks && micro_shards >= 0,
                 fmt::format("a rank is below its world's size, found rank {} of {} for {} micro-shards", rank, ranks,
                             micro_shards));
  const auto boundary = [&](int r) { return static_cast<int>(int64_t{micro_shards} * r / ranks); };
  if (ranks > micro_shards)
    return rank < micro_shards ? std::pair(rank, rank + 1) : std::pair(micro_shards, micro_shards);
  return {boundary(rank), boundary(rank + 1)};
}

std::vector<TreeNode> covering_nodes(int first, int last, int leaves) {
  PENSTOCK_CHECK(0 <= first && first <= last && last <= leaves,
                 fmt::format("leaves lie within their tree, found [{}, {}) of {}", first, last, leaves));
  std::vector<TreeNode> nodes;
  while (first < last) {
    int level = 0;
    // Grow while the parent begins here and ends within [first, last), or would only lack leaves that do not exist.
    while (first % (2 << level) == 0 && std::min(first + (2 << level), leaves) <= last && first + (1 << level) < leaves)
      ++level;
    nodes.push_back({level, first >> level});
    first += 1 << level;
  }
  return nodes;
}

size_t most_nodes(int ranks, int micro_shards) {
  size_t most = 1;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, last] = micro_shards_of(rank, ranks, micro_shards);
    most = std::max(most, covering_nodes(first, last, micro_shards).size());
  }
  return most;
}

std::vector<Bucket> exchanged_at_once(const std::vector<Bucket>& buckets, Reproducible mode, bool overlap) {
  return mode == Reproducible::world && !overlap ? joined(buckets, largest_exchange) : buckets;
}

GradientReducer::GradientReducer(Communicator& ranks, std::vector<Bucket> buckets, const ReducerOptions& options)
    : ranks_(ranks),
      buckets_(std::move(buckets)),
      options_(options),
      mine_(micro_shards_of(ranks.rank(), ranks.size(), options.micro_shards)) {
  check_buckets(buckets_);
  length_ = buckets_.front().end;
  widest_ = most_nodes(ranks.size(), options.micro_shards);
  inputs_.resize(std::max(1, mine_.second - mine_.first) * length_);
  if (ranks.size() > 1) sum_.resize(length_);
  partials_.resize(buckets_.size());
  missing_ = std::make_unique<std::atomic<int>[]>(buckets_.size());
  summed_.resize(buckets_.size());
  exchanged_ = buckets_.size();
  if (ranks.size() == 1) return;
  exchange_ranks_ = ranks.duplicate("the gradients' own ranks");
  thread_ = std::thread([this] { exchange_as_they_come(); });
}

GradientReducer::~GradientReducer() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

float* GradientReducer::input(int shard) {
  check_own(shard);
  return inputs_.data() + static_cast<size_t>(shard - mine_.first) * length_;
}

void GradientReducer::check_own(int shard) const {
  PENSTOCK_CHECK(shard >= mine_.first && shard < mine_.second,
                 fmt::format("this rank's micro-shards are [{}, {}), found {}", mine_.first, mine_.second, shard));
}

void GradientReducer::check_between_rounds() const {
  PENSTOCK_CHECK(!open_, "begin() and the setters are called between rounds: after finish(), before the next begin()");
}

void GradientReducer::set_overlap(bool overlap) {
  check_between_rounds();
  options_.overlap = overlap;
}

void GradientReducer::set_reproducible(Reproducible mode) {
  check_between_rounds();
  options_.reproducible = mode;
}

void GradientReducer::begin(std::string_view what) {
  check_between_rounds();
  open_ = true;
  const int shards = mine_.second - mine_.first;
  {
    const std::lock_guard lock(mutex_);
    what_ = " of " + std::string(what);
    exchanged_ = 0;
    as_they_come_ = options_.overlap;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      missing_[bucket].store(shards);
      summed_[bucket] = false;
    }
  }
  if (shards > 0) return;
  // A rank without micro-shards adds zeros, at once.
  std::fill(inputs_.begin(), inputs_.end(), 0.0f);
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) sum_mine(bucket);
}

void GradientReducer::ready(int shard, size_t bucket) {
  check_own(shard);
  PENSTOCK_CHECK(bucket < buckets_.size(), fmt::format("bucket {} of {} is ready", bucket, buckets_.size()));
  const int missing = missing_[bucket].fetch_sub(1);
  PENSTOCK_CHECK(missing > 0, fmt::format("ready() is called once a round for each micro-shard and bucket, between "
                                          "begin() and finish(); bucket {} was complete, and micro-shard {} came again",
                                          bucket, shard));
  if (missing == 1) sum_mine(bucket);
}

// Runs on the thread that completed the bucket: its sum over this rank's micro-shards.
void GradientReducer::sum_mine(size_t index) {
  const Bucket& bucket = buckets_[index];
  Partials mine;
  for (int shard = mine_.first; shard < mine_.second; ++shard) {
    mine.nodes.push_back({0, shard});
    mine.values.push_back(input(shard) + bucket.begin);
  }
  sum_tree(mine, bucket.end - bucket.begin);
  if (options_.reproducible == Reproducible::run && ranks_.size() > 1) {
    float* sum = sum_.data() + bucket.begin;
    const size_t count = bucket.end - bucket.begin;
    std::memcpy(sum, mine.values.empty() ? inputs_.data() + bucket.begin : mine.values[0], count * sizeof(float));
    for (size_t i = 1; i < mine.values.size(); ++i) add(sum, mine.values[i], count);
  }
  {
    const std::lock_guard lock(mutex_);
    partials_[index] = std::move(mine);
    summed_[index] = true;
  }
  changed_.notify_all();
}

// Adds siblings until no node has one: right into left, level by level. Nodes are in order from left to right.
void GradientReducer::sum_tree(Partials& partials, size_t count) const {
  auto& [nodes, values] = partials;
  for (int level = 0; nodes.size() > 1 || (!nodes.empty() && nodes[0].index > 0); ++level) {
    bool higher = false;
    std::vector<TreeNode> next;
    std::vector<float*> sums;
    for (size_t i = 0; i < nodes.size(); ++i) {
      TreeNode node = nodes[i];
      if (node.level == level && node.index % 2 == 0 && i + 1 < nodes.size() &&
          nodes[i + 1] == TreeNode{level, node.index + 1}) {
        add(values[i], values[i + 1], count);
        sums.push_back(values[i]);
        next.push_back({level + 1, node.index / 2});
        ++i;
        continue;
      }
      // The last node of a level without a sibling that exists is its parent.
      if (node.level == level && node.index % 2 == 0 && (int64_t{node.index} + 1) << level >= options_.micro_shards)
        node = {level + 1, node.index / 2};
      higher |= node.level > level;
      next.push_back(node);
      sums.push_back(values[i]);
    }
    const bool stuck = next == nodes && !higher;
    nodes = std::move(next);
    values = std::move(sums);
    if (stuck) return;
  }
}

// One bucket, or some that follow each other.
void GradientReducer::exchange(const Bucket& elements, const std::string& what) {
  if (options_.reproducible == Reproducible::run) {
    exchange_ranks_->all_reduce(buffer_of(sum_.data() + elements.begin, elements.end - elements.begin), what);
  } else {
    exchange_slices(elements, what);
  }
}

// Rank s sums the tree over slice s of the elements: every rank sends it its nodes of that slice, and gets back the
// sum. The bytes moved are about those of an all-reduce at any rank count; the order of additions is the tree's.
void GradientReducer::exchange_slices(const Bucket& elements, const std::string& what) {
  Communicator& ranks = *exchange_ranks_;
  const auto size = static_cast<size_t>(ranks.size());
  const size_t count = elements.end - elements.begin, slice = slice_of(count, ranks.size());
  // The bucket at which they begin: the same nodes of the others lie behind it in memory.
  const auto lowest =
      std::find_if(buckets_.begin(), buckets_.end(), [&](const Bucket& one) { return one.begin == elements.begin; });
  const Partials& mine = partials_[lowest - buckets_.begin()];
  const size_t moved = size * widest_ * slice;
  if (sent_.size() < moved) sent_.resize(moved), received_.resize(moved);
  for (size_t to = 0; to < size; ++to) {
    const size_t begin = std::min(to * slice, count), end = std::min(begin + slice, count);
    for (size_t node = 0; node < mine.values.size(); ++node) {
      std::memcpy(sent_.data() + (to * widest_ + node) * slice, mine.values[node] + begin,
                  (end - begin) * sizeof(float));
    }
  }
  ranks.all_to_all(buffer_of(sent_.data(), moved), buffer_of(received_.data(), moved), what);

  Partials all;
  for (size_t rank = 0; rank < size; ++rank) {
    const auto [first, last] = micro_shards_of(static_cast<int>(rank), ranks.size(), options_.micro_shards);
    const auto theirs = covering_nodes(first, last, options_.micro_shards);
    for (size_t node = 0; node < theirs.size(); ++node) {
      all.nodes.push_back(theirs[node]);
      all.values.push_back(received_.data() + (rank * widest_ + node) * slice);
    }
  }
  sum_tree(all, slice);
  ranks.all_gather(buffer_of(all.values.front(), slice), buffer_of(sent_.data(), size * slice), what);
  std::memcpy(sum_.data() + elements.begin, sent_.data(), count * sizeof(float));
}

// The exchanging thread: buckets in their order, each as soon as this rank has summed it. After a failure the round's
// remaining buckets are skipped, and finish() rethrows it.
void GradientReducer::exchange_as_they_come() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] {
      return closing_ || (as_they_come_ && exchanged_ < buckets_.size() && (failure_ || summed_[exchanged_]));
    });
    if (closing_) return;
    const size_t bucket = exchanged_;
    if (!failure_) {
      lock.unlock();
      std::exception_ptr failure;
      try {
        exchange(buckets_[bucket], "bucket " + std::to_string(bucket) + what_);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) failure_ = failure;
    }
    ++exchanged_;
    changed_.notify_all();
  }
}

const float* GradientReducer::finish() {
  PENSTOCK_CHECK(open_, "finish() comes after begin()");
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    PENSTOCK_CHECK(missing_[bucket].load() == 0,
                   fmt::format("finish() comes when every bucket is ready; {} of bucket {}'s micro-shards are not",
                               missing_[bucket].load(), bucket));
  }
  open_ = false;
  if (ranks_.size() == 1) return inputs_.data();  // the tree's sum is in its leftmost leaf
  if (as_they_come_) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return exchanged_ == buckets_.size(); });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  } else {
    const auto all = exchanged_at_once(buckets_, options_.reproducible, false);
    for (size_t i = 0; i < all.size(); ++i) exchange(all[i], "bucket " + std::to_string(i) + what_);
    exchanged_ = buckets_.size();
  }
  return sum_.data();
}

}  // namespace penstock::distributed
