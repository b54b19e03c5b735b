#include "distributed/gradient_reducer.h"

#include <algorithm>
#include <cstring>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

void add(float* to, const float* from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

std::pair<int, int> micro_shards_of(int rank, int ranks, int micro_shards) {
  const auto boundary = [&](int r) { return static_cast<int>(int64_t{micro_shards} * r / ranks); };
  if (ranks > micro_shards) return rank < micro_shards ? std::pair(rank, rank + 1) : std::pair(micro_shards, micro_shards);
  return {boundary(rank), boundary(rank + 1)};
}

std::vector<TreeNode> covering_nodes(int first, int last, int leaves) {
  std::vector<TreeNode> nodes;
  while (first < last) {
    int level = 0;
    // Grow while the parent begins here and ends within [first, last), or would only lack leaves that do not exist.
    while (first % (2 << level) == 0 && std::min(first + (2 << level), leaves) <= last && first + (1 << level) < leaves) ++level;
    nodes.push_back({level, first >> level});
    first += 1 << level;
  }
  return nodes;
}

GradientReducer::GradientReducer(Communicator& ranks, int micro_shards, size_t length, Reproducible reproducible)
    : ranks_(ranks), micro_shards_(micro_shards), length_(length), reproducible_(reproducible),
      mine_(micro_shards_of(ranks.rank(), ranks.size(), micro_shards)) {
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const auto [first, last] = micro_shards_of(rank, ranks.size(), micro_shards);
    widest_ = std::max(widest_, covering_nodes(first, last, micro_shards).size());
  }
  inputs_.resize(std::max<size_t>(static_cast<size_t>(mine_.second - mine_.first), widest_) * length);
  if (reproducible == Reproducible::world && ranks.size() > 1) gathered_.resize(widest_ * length * ranks.size());
}

float* GradientReducer::input(int shard) {
  PENSTOCK_CHECK(shard >= mine_.first && shard < mine_.second, "a rank fills its own micro-shards");
  return inputs_.data() + static_cast<size_t>(shard - mine_.first) * length_;
}

// Adds siblings until no node has one: right into left, level by level. Nodes are in order from left to right.
void GradientReducer::sum_tree(std::vector<TreeNode>& nodes, std::vector<float*>& values) const {
  for (int level = 0; nodes.size() > 1 || (!nodes.empty() && nodes[0].index > 0); ++level) {
    bool higher = false;
    std::vector<TreeNode> next;
    std::vector<float*> sums;
    for (size_t i = 0; i < nodes.size(); ++i) {
      TreeNode node = nodes[i];
      if (node.level == level && node.index % 2 == 0 && i + 1 < nodes.size() && nodes[i + 1] == TreeNode{level, node.index + 1}) {
        add(values[i], values[i + 1], length_);
        sums.push_back(values[i]);
        next.push_back({level + 1, node.index / 2});
        ++i;
        continue;
      }
      // The last node of a level without a sibling that exists is its parent.
      if (node.level == level && node.index % 2 == 0 && (int64_t{node.index} + 1) << level >= micro_shards_) node = {level + 1, node.index / 2};
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

const float* GradientReducer::reduce(std::string_view what) {
  std::vector<TreeNode> nodes;
  std::vector<float*> values;
  for (int shard = mine_.first; shard < mine_.second; ++shard) {
    nodes.push_back({0, shard});
    values.push_back(input(shard));
  }
  sum_tree(nodes, values);
  if (ranks_.size() == 1) return values.front();

  if (reproducible_ == Reproducible::run) {
    for (size_t i = 1; i < values.size(); ++i) add(values[0], values[i], length_);
    if (values.empty()) std::fill_n(inputs_.begin(), length_, 0.0f);
    else if (values[0] != inputs_.data()) std::memmove(inputs_.data(), values[0], length_ * sizeof(float));
    ranks_.all_reduce(buffer_of(inputs_.data(), length_), what);
    return inputs_.data();
  }

  // My nodes side by side, in order; every rank sends as many as the rank with most.
  for (size_t i = 0; i < values.size(); ++i) {
    float* place = inputs_.data() + i * length_;
    if (values[i] != place) std::memmove(place, values[i], length_ * sizeof(float));
  }
  const size_t count = widest_ * length_;
  ranks_.all_gather(buffer_of(inputs_.data(), count), buffer_of(gathered_.data(), count * ranks_.size()), what);
  nodes.clear();
  values.clear();
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const auto [first, last] = micro_shards_of(rank, ranks_.size(), micro_shards_);
    const auto theirs = covering_nodes(first, last, micro_shards_);
    for (size_t i = 0; i < theirs.size(); ++i) {
      nodes.push_back(theirs[i]);
      values.push_back(gathered_.data() + rank * count + i * length_);
    }
  }
  sum_tree(nodes, values);
  return values.front();
}

}  // namespace penstock::distributed
