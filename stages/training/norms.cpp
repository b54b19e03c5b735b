#include "stages/training/norms.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<NormRule>& norm_rules() {
  static const std::vector<NormRule> rules = {
      {.name = "batch", .help = "over one micro-batch", .running_statistics = true},
      {.name = "sync",
       .help = "batch norm over the global batch, whatever the ranks; CPU only",
       .running_statistics = true,
       .over_ranks = true},
      {.name = "group", .help = "over 8 channels of one sample"},
      {.name = "none", .help = "no norm", .is_layer = false},
  };
  return rules;
}

const NormRule& norm_rule(std::string_view name) { return row_of(norm_rules(), "norm", name); }

}  // namespace penstock::stages
