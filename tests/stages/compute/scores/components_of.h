// Objects of a single map of foreground, as a network without other targets gives it.
#pragma once

#include <vector>

#include "stages/compute/scores/decoders.h"

namespace penstock::stages {

inline LabelMap components(const std::vector<float>& foreground, int width, int height, double threshold,
                           const InstanceRules& rules) {
  return objects_of({width, height, {"mask"}, foreground}, threshold, rules);
}

}  // namespace penstock::stages
