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
};
pipeline::Value to_json(const SampleScores& scores);
SampleScores sample_scores_from_json(const pipeline::Value& json);

// Of the foreground in which these objects were found, at native size.
PixelCounts native_counts(const FoundObjects& found, const LabelMap& truth);

// {"images", "grid": {"micro", "macro"}, "native": {..., "map", "ap50", ...}} of one subset, rows in a fixed order.
// Without `with_grid` only "images" and "native".
pipeline::Value summarise_scores(const std::vector<SampleScores>& rows, bool with_grid);

}  // namespace penstock::stages
