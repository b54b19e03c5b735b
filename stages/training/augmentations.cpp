#include "stages/training/augmentations.h"

#include <algorithm>

#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

std::vector<AugmentationRule> rules_of_places() {
  return {
      {.name = "flip", .help = "left to right, top to bottom", .enables = &Augmentation::flip},
      {.name = "rot90", .help = "quarter turns, on square grids", .enables = &Augmentation::rotate},
      {.name = "scale",
       .help = "larger or smaller",
       .strength = "crops are scaled by 2^U(-s, s): octaves",
       .usual = 1,
       .most = 2},
      {.name = "rotate",
       .help = "by any angle",
       .strength = "crops are turned by U(-s, s): degrees",
       .usual = 180,
       .most = 180},
      {.name = "shear", .help = "slanted", .strength = "columns to the line, U(-s, s)", .usual = 0.2, .most = 1},
      {.name = "elastic",
       .help = "bent smoothly",
       .strength = "nodes 32 pixels apart move by a Gaussian of deviation U(0, s): pixels",
       .usual = 3,
       .most = 4},
  };
}

std::vector<AugmentationRule> rules_of_values() {
  return {
      {.name = "gamma", .help = "other midtones", .strength = "exponent 2^U(-s, s): octaves", .usual = 0.7, .most = 2},
      {.name = "invert", .help = "bright for dark", .strength = "share of the crops", .usual = 0.15, .most = 1},
      {.name = "invert_bright",
       .help = "bright for dark where a picture's median is above the middle of its values",
       .strength = "share of those crops",
       .usual = 0.3,
       .most = 1},
      {.name = "gain", .help = "times a factor", .strength = "2^U(-s, s): octaves", .usual = 0.3, .most = 2},
      {.name = "offset",
       .help = "brighter or darker throughout",
       .strength = "U(-s, s) of the range of values",
       .usual = 0.1,
       .most = 1},
      {.name = "clahe",
       .help = "contrast evened out tile by tile (CLAHE), every fifth crop",
       .strength = "counts of a tile's histogram are clipped at U(0, s) times their mean",
       .usual = 3,
       .most = 10},
      {.name = "colour",
       .help = "channels mixed, grey stays grey; 3 channels",
       .strength = "each share of a channel moves by U(-s, s)",
       .usual = 0.2,
       .most = 1,
       .of_colours = true},
      {.name = "stain",
       .help = "more or less of each dye, in coloured pictures; 3 channels",
       .strength = "haematoxylin, eosin and what is left absorb U(1 - s, 1 + s) times as much, and U(-s, s) more",
       .usual = 0.1,
       .most = 0.5,
       .of_colours = true},
      {.name = "grey",
       .help = "colours taken away; 3 channels",
       .strength = "share of the crops",
       .usual = 0.3,
       .most = 1,
       .of_colours = true},
      {.name = "blur",
       .help = "out of focus, every fifth crop",
       .strength = "deviation of the Gaussian U(0, s), pixels",
       .usual = 1.5,
       .most = 2},
      {.name = "noise",
       .help = "every pixel by itself, three crops in ten",
       .strength = "deviation U(0, s) of the range of values",
       .usual = 0.05,
       .most = 1},
  };
}

OpenTable<AugmentationRule>& table() {
  static OpenTable<AugmentationRule> rules("augmentation", [] {
    auto all = rules_of_places();
    for (AugmentationRule& rule : rules_of_values()) all.push_back(std::move(rule));
    return all;
  }());
  return rules;
}

}  // namespace

const std::vector<AugmentationRule>& augmentation_rules() { return table().rows(); }

void add_row(AugmentationRule rule) { table().add(std::move(rule)); }

Strengths usual_strengths() {
  Strengths strengths;
  for (const AugmentationRule& rule : augmentation_rules()) {
    if (!rule.strength.empty()) strengths[rule.name] = rule.usual;
  }
  return strengths;
}

Augmentation augmentation_of(const std::vector<std::string>& names, const Strengths& strengths) {
  for (const std::string& name : names) row_of(augmentation_rules(), "augmentation", name);
  Augmentation augmentation;
  for (const AugmentationRule& rule : augmentation_rules()) {
    if (std::find(names.begin(), names.end(), rule.name) == names.end()) continue;
    if (rule.enables != nullptr) augmentation.*rule.enables = true;
    if (!rule.strength.empty()) augmentation.others.push_back({rule.name, strengths.at(rule.name)});
  }
  return augmentation;
}

std::string augmentation_of_colours(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (row_of(augmentation_rules(), "augmentation", name).of_colours) return name;
  }
  return "";
}

}  // namespace penstock::stages
