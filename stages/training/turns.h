// The choices of eval.turns: in how many ways a model looks at each tile, whose answers are averaged. Pure.
#pragma once

#include <string>
#include <vector>

namespace penstock::stages {

struct TurnRule {
  std::string name, help;
  int count = 1;  // the first of: as it is, mirrored left to right, top to bottom, both, and these four transposed
};

const std::vector<TurnRule>& turn_rules();

}  // namespace penstock::stages
