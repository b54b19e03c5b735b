// The choices of train.optimizer. Pure. Their arithmetic is in device_arithmetic.h, for the host and the kernels alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stages/arithmetic/device_arithmetic.h"

namespace penstock::stages {

struct OptimiserRule {
  std::string name, help;
  OptimiserKind kind = OptimiserKind::adamw;
  int moments = 2;  // float32 arrays of the weights' size that it keeps from step to step
};

const std::vector<OptimiserRule>& optimiser_rules();
const OptimiserRule& optimiser_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
