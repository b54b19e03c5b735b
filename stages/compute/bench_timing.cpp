#include "stages/compute/bench_timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "distributed/check.h"

namespace penstock::stages {

using pipeline::Value;

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Value median_with_interval(std::vector<double> values) {
  PENSTOCK_CHECK(!values.empty(), "a median is of measured values");
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const double reach = 0.98 * std::sqrt(n);
  const auto at = [&](double place) { return values[static_cast<size_t>(std::clamp(place, 0.0, n - 1))]; };
  return {{"median", values[values.size() / 2]},
          {"low", at(std::floor(n / 2 - reach))},
          {"high", at(std::ceil(n / 2 + reach))},
          {"n", values.size()}};
}

}  // namespace penstock::stages
