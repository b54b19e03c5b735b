// Sums the vectors of a step's micro-shards over all ranks: gradients, running statistics and counts lie in one flat
// vector of float32, which is reduced bucket by bucket while backward is still running.
//
// A global batch is V micro-shards. Rank r owns a contiguous run of them, near equal, whole. Ranks beyond V own none
// and still make every call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/reducer/bucket_layout.h"

namespace penstock::distributed {

// The micro-shards [first, second) of a rank.
std::pair<int, int> micro_shards_of(int rank, int ranks, int micro_shards);

// A node of the aligned binary tree over micro-shards: `level` 0 is a leaf; node (l, i) covers [i * 2^l, (i + 1) *
// 2^l), cut at V. The sum of the whole is the same bits however ranks share the leaves.
struct TreeNode {
  int level = 0;
  int index = 0;
  auto operator<=>(const TreeNode&) const = default;
};
// The fewest nodes that cover exactly the leaves [first, last) of a tree over `leaves`, from left to right.
std::vector<TreeNode> covering_nodes(int first, int last, int leaves);
// The most that any of `ranks` ranks needs for its micro-shards.
size_t most_nodes(int ranks, int micro_shards);
// Elements of a bucket that one rank sums: equal parts, the last ones padded.
inline size_t slice_of(size_t count, int ranks) { return (count + ranks - 1) / ranks; }

enum class Reproducible {
  run,    // same bits for the same rank count: each rank's partial sum in one all-reduce
  world,  // same bits for any rank count: every rank sums a slice by the same tree, and slices are gathered
};

// The buckets that are exchanged together. With "world" and no overlap they are joined up to 16 MiB, since each
// exchange synchronises all ranks twice. With "run", and with overlap, each goes alone: the order in which MPI adds may
// depend on the length.
std::vector<Bucket> exchanged_at_once(const std::vector<Bucket>& buckets, Reproducible mode, bool overlap);

struct ReducerOptions {
  int micro_shards = 1;
  Reproducible reproducible = Reproducible::run;
  bool overlap = false;  // exchange buckets on a thread of its own as soon as they are ready
};

// A round is begin(), ready() from any thread, finish(); rounds repeat. Construction and finish() are collective; with
// overlap the ranks communicate as soon as buckets are ready. Calls out of this order are Error(internal).
class GradientReducer {
 public:
  GradientReducer(Communicator& ranks, std::vector<Bucket> buckets, const ReducerOptions& options);
  ~GradientReducer();

  std::pair<int, int> mine() const { return mine_; }
  size_t length() const { return length_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }

  // Where micro-shard `shard` (one of mine) writes its vector: length() values. finish() takes its content.
  float* input(int shard);

  // Between rounds, on every rank: exchange buckets as they come, or all in finish(). The same bits either way.
  void set_overlap(bool overlap);
  // Between rounds, on every rank.
  void set_reproducible(Reproducible mode);

  // Opens a round; `what` names its collectives in reports: "step 812".
  void begin(std::string_view what);
  // Bucket `bucket` of input(shard) is written. Any thread; once a round for each shard and bucket.
  void ready(int shard, size_t bucket);
  // The sum over all micro-shards, valid until the next begin(). Every ready() has been called. Rethrows what a
  // bucket's reduction threw.
  const float* finish();

 private:
  // The vectors of some nodes of the tree, at the same elements.
  struct Partials {
    std::vector<TreeNode> nodes;
    std::vector<float*> values;
  };
  void check_own(int shard) const;
  void check_between_rounds() const;
  void sum_tree(Partials& partials, size_t count) const;
  void sum_mine(size_t bucket);
  void exchange(const Bucket& elements, const std::string& what);
  void exchange_slices(const Bucket& elements, const std::string& what);
  void exchange_as_they_come();

  Communicator& ranks_;
  std::unique_ptr<Communicator> exchange_ranks_;  // a duplicate: finish() or the exchanging thread uses it
  std::vector<Bucket> buckets_;
  ReducerOptions options_;
  std::pair<int, int> mine_;
  size_t length_ = 0;
  bool open_ = false;  // between begin() and finish()
  size_t widest_ = 1;  // most nodes of a rank
  std::vector<float> inputs_, sum_, sent_, received_;
  std::string what_;                             // " of step 812"
  std::vector<Partials> partials_;               // of each bucket, when its shards are ready
  std::unique_ptr<std::atomic<int>[]> missing_;  // of each bucket: shards of mine that are not ready

  // Between the threads that call ready(), and the one that exchanges.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> summed_;   // of each bucket
  size_t exchanged_ = 0;       // buckets of this round
  bool as_they_come_ = false;  // in this round
  bool closing_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace penstock::distributed
