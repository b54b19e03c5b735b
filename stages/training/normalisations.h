// The choices of train.normalise: how bytes of a picture become the network's input. Pure. The arithmetic is in
// stages/compute/model/normaliser.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

struct NormalisationRule {
  std::string name, help;
  bool by_channel = false;  // mean and standard deviation of each channel, measured over the train subset
  bool by_image = false;    // each image's own percentiles become 0 and 1; values beyond are cut
};

const std::vector<NormalisationRule>& normalisation_rules();
const NormalisationRule& normalisation_rule(std::string_view name);  // fails a check where there is none of that name

// What train.normalise may be: a rule, or the word that has one chosen for the data set.
inline constexpr const char* chosen_by_data = "auto";
std::vector<std::string> normalise_choices();
std::string help_of_normalise();

struct ChosenNormalisation {
  std::string name;  // of a rule
  std::string why;   // in words, with counts
};
// By inspect's metadata.json: "unit" where all pictures have 8 bits and some are coloured, whose brightness means
// something; else "percentile", for grey and deep pictures differ in brightness by how they were taken.
ChosenNormalisation chosen_normalisation(const pipeline::Value& metadata);

}  // namespace penstock::stages
