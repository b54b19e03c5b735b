#include "pipeline/config/matrix_sample.h"

#include <algorithm>
#include <cmath>

#include "pipeline/digest.h"

namespace penstock::pipeline {
namespace {

// u in [0, 1) on the range. An integer stands for the interval of half a unit around it, so that the ends are as likely
// as what lies between.
Value value_at(const Range& range, double u) {
  const double margin = range.integer ? 0.5 : 0;
  const double low = range.low - margin, high = range.high + margin;
  const double drawn =
      range.logarithmic ? std::exp(std::log(low) + u * (std::log(high) - std::log(low))) : low + u * (high - low);
  const double inside = std::clamp(range.integer ? std::round(drawn) : drawn, range.low, range.high);
  return range.integer ? Value(static_cast<int64_t>(inside)) : Value(inside);
}

}  // namespace

Assignment draw(const std::vector<Factor>& factors, int64_t seed, int64_t i) {
  Assignment drawn;
  for (const Factor& factor : factors) {
    const uint64_t bits =
        Hasher().field("matrix.sample").field(seed).field(factor.name).field(i).finish().leading_bits();
    const double u = static_cast<double>(bits >> 11) * 0x1p-53;
    if (factor.range) {
      drawn.emplace_back(factor.name, value_at(*factor.range, u));
    } else {
      const Assignment& row = factor.rows[static_cast<size_t>(u * static_cast<double>(factor.rows.size()))];
      drawn.insert(drawn.end(), row.begin(), row.end());
    }
  }
  return drawn;
}

std::optional<uint64_t> combinations(const std::vector<Factor>& factors) {
  uint64_t all = 1;
  for (const Factor& factor : factors) {
    if (factor.range && !factor.range->integer) return std::nullopt;
    const uint64_t here =
        factor.range ? static_cast<uint64_t>(factor.range->high - factor.range->low) + 1 : factor.rows.size();
    if (__builtin_mul_overflow(all, here, &all)) return std::nullopt;
  }
  return all;
}

}  // namespace penstock::pipeline
