// Random numbers without state: each draw is a hash of what it is for. Any rank, any thread and any order gives the
// same numbers, and resuming has nothing to restore.
//
//   Draws draws(seed, "augment", {epoch}, sample_id);
//   bool flip = draws.uniform(0) < 0.5;
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <string_view>

#include "distributed/check.h"
#include "pipeline/digest.h"

namespace penstock::stages {

class Draws {
 public:
  Draws(int64_t seed, std::string_view purpose, std::initializer_list<int64_t> counters = {},
        std::string_view id = {}) {
    pipeline::Hasher hasher;
    hasher.field("draw").field(seed).field(purpose);
    for (const int64_t counter : counters) hasher.field(counter);
    key_ = hasher.field(id).finish().leading_bits();
  }

  // Uniform over 64 bits: SplitMix64 (Steele, Lea, Flood 2014) at position `draw` of this stream.
  uint64_t bits(uint64_t draw) const {
    uint64_t z = key_ + (draw + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, 1), a multiple of 2^-53.
  double uniform(uint64_t draw) const { return static_cast<double>(bits(draw) >> 11) * 0x1p-53; }
  double between(uint64_t draw, double low, double high) const { return low + (high - low) * uniform(draw); }
  // In [0, count).
  uint64_t below(uint64_t draw, uint64_t count) const {
    PENSTOCK_CHECK(count > 0, "a draw is from at least one value");
    return static_cast<uint64_t>((static_cast<unsigned __int128>(bits(draw)) * count) >> 64);
  }
  // Standard normal (Box and Muller 1958); takes draws 2 * draw and 2 * draw + 1 of a stream of its own.
  double normal(uint64_t draw) const {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(2 * draw)));
    return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * draw + 1));
  }

 private:
  uint64_t key_;
};

}  // namespace penstock::stages
