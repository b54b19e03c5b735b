#include "stages/training/losses.h"

namespace penstock::stages {

const std::vector<LossRule>& loss_rules() {
  static const std::vector<LossRule> rules = {
      {"bce", "binary cross-entropy"},
      {"bce_dice", "its sum with 1 - soft Dice"},
  };
  return rules;
}

}  // namespace penstock::stages
