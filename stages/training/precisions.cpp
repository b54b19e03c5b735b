#include "stages/training/precisions.h"

#include "distributed/check.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<PrecisionRule>& precision_rules() {
  static const std::vector<PrecisionRule> rules = {
      {"fp32", "float32", false, false},
      {"bf16", "bfloat16 with float32 master weights, fast on GPUs and on processors with AVX-512 BF16", true, false},
      {"auto",
       "bf16 on GPUs, and on such processors where base_channels is at least 8; else fp32; fixed at a run's "
       "first attempt",
       false, true},
  };
  return rules;
}

const PrecisionRule& precision_rule(std::string_view name) { return row_of(precision_rules(), "precision", name); }

bool works_in_bfloat16(std::string_view name) {
  const PrecisionRule& rule = precision_rule(name);
  PENSTOCK_CHECK(!rule.by_machine, "a step's precision is decided before the step is made");
  return rule.bfloat16;
}

}  // namespace penstock::stages
