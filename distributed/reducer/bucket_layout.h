// How a flat gradient is cut into buckets, each reduced on its own while backward is still running.
#pragma once

#include <cstddef>
#include <vector>

namespace penstock::distributed {

// Elements [begin, end) of the flat vector.
struct Bucket {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const Bucket&) const = default;
};

// Buckets in the order in which backward finishes them: from the vector's end to its beginning. `slots` are the lengths
// of the parameters' gradients in the order of their use, one behind the other; `tail` elements follow that are known
// before backward begins (statistics, figures) and belong to the first bucket. A bucket holds whole slots, at most
// `cap` elements (a longer slot has one to itself); the last, whose reduction nothing hides, at most `last`, where its
// slots allow. A pure function: every rank gets the same.
std::vector<Bucket> bucket_layout(const std::vector<size_t>& slots, size_t tail, size_t cap, size_t last);

// The layout that training uses, for float32 gradients. Where the exchange takes as long as backward, the step takes
// one bucket's exchange longer than either, so a bucket is a small part of the vector; but not so small that latency
// dominates, nor larger than full bandwidth needs.
std::vector<Bucket> standard_buckets(const std::vector<size_t>& slots, size_t tail);

// The index of the bucket that holds `element` of the flat vector.
size_t bucket_of(const std::vector<Bucket>& buckets, size_t element);

// Joins neighbouring buckets as long as they hold at most `cap` elements together.
std::vector<Bucket> joined(const std::vector<Bucket>& buckets, size_t cap);

}  // namespace penstock::distributed
