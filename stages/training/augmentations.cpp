#include "stages/training/augmentations.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<AugmentationRule>& augmentation_rules() {
  static const std::vector<AugmentationRule> rules = {
      {"flip", "left to right, top to bottom", &Augmentation::flip},
      {"rot90", "quarter turns, on square grids", &Augmentation::rotate},
  };
  return rules;
}

Augmentation augmentation_of(const std::vector<std::string>& names) {
  Augmentation augmentation;
  for (const std::string& name : names) augmentation.*row_of(augmentation_rules(), "augmentation", name).enables = true;
  return augmentation;
}

}  // namespace penstock::stages
