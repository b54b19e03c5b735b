// The choices of train.precision: the number format of the network's arithmetic. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct PrecisionRule {
  std::string name, help;
  bool bfloat16 = false;    // the network works on rounded copies of the float32 weights
  bool by_machine = false;  // stands for another row, which the machine decides before the first step
};

const std::vector<PrecisionRule>& precision_rules();
const PrecisionRule& precision_rule(std::string_view name);  // fails a check where there is none of that name
// Of a step that is made; fails a check where the machine has yet to decide.
bool works_in_bfloat16(std::string_view name);

}  // namespace penstock::stages
