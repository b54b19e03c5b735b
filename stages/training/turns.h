// How a model looks at a sample in eval and predict: eval.turns, in how many ways at each tile, whose answers are
// averaged; eval.tile, of what size tiles may be. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::stages {

struct TurnRule {
  std::string name, help;
  int count = 1;  // the first of: as it is, mirrored left to right, top to bottom, both, and these four transposed
};

const std::vector<TurnRule>& turn_rules();

inline constexpr int64_t smallest_tile = 64, largest_tile = 4096;  // pixels, of a side

}  // namespace penstock::stages
