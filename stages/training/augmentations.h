// The choices of train.augment: which random changes a crop goes through, and how strong each may be
// (train.augmentation.NAME). Pure. The draws are in stages/compute/step/step_samples.cpp (flips and quarter turns) and
// row_changes.cpp (all others).
#pragma once

#include <map>
#include <string>
#include <vector>

namespace penstock::stages {

struct Augmentation {
  bool flip = false;
  bool rotate = false;  // by quarter turns; square grids only
  struct Enabled {
    std::string name;
    double strength = 0;
  };
  std::vector<Enabled> others = {};  // in the order of the table
};

// What a draw may know of its picture.
struct PictureTraits {
  bool bright = false;    // its median is above the middle of its values: objects on a bright ground
  bool coloured = false;  // of the look "stained" (images/appearance.h)
};

struct AugmentationRule {
  std::string name, help;
  bool Augmentation::*enables = nullptr;  // of those without a strength
  // What train.augmentation.NAME says, its default and its largest value; the least is 0, which changes nothing.
  std::string strength = {};
  double usual = 0, most = 0;
  bool of_colours = false;  // for 3 channels only
};

const std::vector<AugmentationRule>& augmentation_rules();
void add_row(AugmentationRule rule);  // of a user's own program: compute/extensions.h

// By name, of those that have one.
using Strengths = std::map<std::string, double>;
Strengths usual_strengths();

// What a list of names enables; an unknown name fails a check.
Augmentation augmentation_of(const std::vector<std::string>& names, const Strengths& strengths = usual_strengths());

// The first of these names that is for colours only; empty: there is none.
std::string augmentation_of_colours(const std::vector<std::string>& names);

}  // namespace penstock::stages
