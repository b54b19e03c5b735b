#include "stages/training/turns.h"

namespace penstock::stages {

const std::vector<TurnRule>& turn_rules() {
  static const std::vector<TurnRule> rules = {
      {"none", "as it is", 1},
      {"flips", "also mirrored: 4 times the work", 4},
      {"all", "also mirrored and transposed: 8 times the work", 8},
  };
  return rules;
}

}  // namespace penstock::stages
