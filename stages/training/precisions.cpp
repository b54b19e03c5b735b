#include "stages/training/precisions.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<PrecisionRule>& precision_rules() {
  static const std::vector<PrecisionRule> rules = {
      {"fp32", "float32", false},
      {"bf16", "bfloat16 with float32 master weights, fast on GPUs and on processors with AVX-512 BF16", true},
  };
  return rules;
}

const PrecisionRule& precision_rule(std::string_view name) { return row_of(precision_rules(), "precision", name); }

}  // namespace penstock::stages
