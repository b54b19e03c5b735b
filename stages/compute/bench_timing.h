// Measured times of a benchmark, and what is reported of them. Any thread may call.
#pragma once

#include <functional>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

inline constexpr int64_t bench_warm_up_steps = 5;  // not measured; a device records its fourth

double seconds_of(const std::function<void()>& body);

// {"median", "low", "high", "n"}: the median with a 95 % interval from order statistics, which assumes nothing of the
// distribution (David and Nagaraja 2003, Order Statistics, section 7.1).
pipeline::Value median_with_interval(std::vector<double> values);

}  // namespace penstock::stages
