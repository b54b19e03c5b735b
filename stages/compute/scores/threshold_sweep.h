// The threshold of a model: pixel counts on the grid for each candidate, and the choice among them. Pure; any thread
// may call.
#pragma once

#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/metrics.h"

namespace penstock::stages {

// 0.02, 0.04 .. 0.98.
std::vector<double> swept_thresholds();

// Counts of one image for each of them.
std::vector<PixelCounts> sweep(std::span<const float> probability, std::span<const uint8_t> truth);

// The threshold of best Dice; among equals the one nearest to 0.5, then the smaller.
double best_threshold(const std::vector<PixelCounts>& sums);

// The points of thresholds.json.
pipeline::Value sweep_points(const std::vector<PixelCounts>& sums);

}  // namespace penstock::stages
