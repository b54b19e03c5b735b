// The choices of train.balance: how often an epoch takes each sample. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct BalanceRule {
  std::string name, help;
  bool by_look = false;  // by the visual types that inspect finds: balanced_crops() in training_layout.h
};

const std::vector<BalanceRule>& balance_rules();
const BalanceRule& balance_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
