// The choices of train.normalise: how bytes of a picture become the network's input. Pure. The arithmetic is in
// stages/compute/model/normaliser.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct NormalisationRule {
  std::string name, help;
  bool by_channel = false;  // mean and standard deviation of each channel, measured over the train subset
  bool by_image = false;    // each image's own percentiles become 0 and 1; values beyond are cut
};

const std::vector<NormalisationRule>& normalisation_rules();
const NormalisationRule& normalisation_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
