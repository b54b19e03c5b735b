#include "stages/training/balances.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<BalanceRule>& balance_rules() {
  static const std::vector<BalanceRule> rules = {
      {"none", "as often as its area has crops", false},
      {"look",
       "rare visual types more often: a type's share is the root of the number of its samples, whatever their sizes; "
       "needs the input metadata",
       true},
  };
  return rules;
}

const BalanceRule& balance_rule(std::string_view name) { return row_of(balance_rules(), "balance", name); }

}  // namespace penstock::stages
