#include "stages/training/normalisations.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<NormalisationRule>& normalisation_rules() {
  static const std::vector<NormalisationRule> rules = {
      {.name = "unit", .help = "0 to 1"},
      {.name = "zscore", .help = "mean 0, deviation 1 over the train subset", .by_channel = true},
      {.name = "percentile", .help = "each image's percentiles become 0 and 1: train.percentiles", .by_image = true},
  };
  return rules;
}

const NormalisationRule& normalisation_rule(std::string_view name) {
  return row_of(normalisation_rules(), "normalisation", name);
}

}  // namespace penstock::stages
