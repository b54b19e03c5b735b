#include "stages/training/optimisers.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<OptimiserRule>& optimiser_rules() {
  static const std::vector<OptimiserRule> rules = {
      {"adamw", "weight decay applied to the weights", OptimiserKind::adamw, 2},
      {"adam", "weight decay added to the gradient", OptimiserKind::adam, 2},
      {"sgd", "with momentum; weight decay added to the gradient", OptimiserKind::sgd, 1},
  };
  return rules;
}

const OptimiserRule& optimiser_rule(std::string_view name) { return row_of(optimiser_rules(), "optimizer", name); }

}  // namespace penstock::stages
