// What metrics.json says of a set of images, from the scores of each. Pure; any thread may call.
#pragma once

#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/score_sample.h"

namespace penstock::stages {

// {"images", "grid": {"micro", "macro"}, "native": {..., "map", "ap50", "by_size", "calibration"?, "intervals"?, ...}},
// rows in a fixed order; FORMATS.md has all of it. Without `with_grid` only "images" and "native". Intervals need two
// images.
pipeline::Value summarise_scores(const std::vector<SampleScores>& rows, bool with_grid);

}  // namespace penstock::stages
