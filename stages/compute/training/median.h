// The median of measured times. Pure.
#pragma once

#include <algorithm>
#include <vector>

namespace penstock::stages {

// The upper of the two in the middle where their number is even; 0 of none.
inline double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace penstock::stages
