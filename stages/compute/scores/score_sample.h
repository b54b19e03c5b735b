// The figures of one predicted image, and of all. Pure; any thread may call.
#pragma once

#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/found_objects.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/metrics.h"

namespace penstock::stages {

struct SampleScores {
  PixelCounts grid, native;
  ObjectScores objects;
  Calibration calibration = {};  // native; of no pixels where it was not taken
};
pipeline::Value to_json(const SampleScores& scores);
SampleScores sample_scores_from_json(const pipeline::Value& json);

std::vector<uint8_t> foreground_of(const LabelMap& truth);  // 1 where there is an object
// Of the foreground in which these objects were found, at native size.
PixelCounts native_counts(const FoundObjects& found, const LabelMap& truth);

}  // namespace penstock::stages
