#include "stages/training/balances.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<BalanceRule>& balance_rules() {
  static const std::vector<BalanceRule> rules = {
      {"none", "as often as its area has crops", false},
      {"look", "samples of rare visual types more often, by the root of a type's number; needs the input metadata",
       true},
  };
  return rules;
}

const BalanceRule& balance_rule(std::string_view name) { return row_of(balance_rules(), "balance", name); }

}  // namespace penstock::stages
