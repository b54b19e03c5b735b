// The choices of train.augment: which random changes a sample goes through. Pure. The draws are in
// stages/compute/step/step_samples.cpp.
#pragma once

#include <string>
#include <vector>

namespace penstock::stages {

struct Augmentation {
  bool flip = false;
  bool rotate = false;  // by quarter turns; square grids only
};

struct AugmentationRule {
  std::string name, help;
  bool Augmentation::*enables;
};

const std::vector<AugmentationRule>& augmentation_rules();

// What a list of names enables; an unknown name fails a check.
Augmentation augmentation_of(const std::vector<std::string>& names);

}  // namespace penstock::stages
