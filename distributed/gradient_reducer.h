// Sums the vectors of a step's micro-shards, whichever ranks computed them: gradients, running statistics and counts ride
// in one flat vector of float32.
//
// A global batch is V micro-shards. Rank r owns a contiguous run of them, near equal, whole. Ranks beyond V own none and
// still take part in every call.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "distributed/communicator.h"

namespace penstock::distributed {

// The micro-shards [first, second) of a rank.
std::pair<int, int> micro_shards_of(int rank, int ranks, int micro_shards);

// A node of the aligned binary tree over micro-shards: `level` 0 is a leaf; node (l, i) covers [i * 2^l, (i + 1) * 2^l),
// cut at V. The sum of the whole is the same bits however ranks share the leaves.
struct TreeNode {
  int level = 0;
  int index = 0;
  auto operator<=>(const TreeNode&) const = default;
};
// The fewest nodes that cover exactly the leaves [first, last) of a tree over `leaves`, from left to right.
std::vector<TreeNode> covering_nodes(int first, int last, int leaves);

enum class Reproducible {
  run,    // same bits for the same rank count: one all-reduce of each rank's partial sum
  world,  // same bits for any rank count: the tree's nodes are gathered, and every rank closes the same tree
};

// Not thread-safe; reduce() is collective.
class GradientReducer {
 public:
  GradientReducer(Communicator& ranks, int micro_shards, size_t length, Reproducible reproducible);

  std::pair<int, int> mine() const { return mine_; }
  // Where micro-shard `shard` (one of mine) is written before reduce(): `length` values. Its content is lost by reduce().
  float* input(int shard);
  // The sum over all micro-shards; valid until the next call.
  const float* reduce(std::string_view what);

 private:
  void sum_tree(std::vector<TreeNode>& nodes, std::vector<float*>& values) const;

  Communicator& ranks_;
  int micro_shards_;
  size_t length_;
  Reproducible reproducible_;
  std::pair<int, int> mine_;
  size_t widest_ = 1;  // most nodes of a rank
  std::vector<float> inputs_;
  std::vector<float> gathered_;
};

}  // namespace penstock::distributed
