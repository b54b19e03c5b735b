// The results of one predicted image: its figures, and the files that people look at. Pure, except for the files that
// it writes; any thread may call.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/decoders.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/metrics.h"
#include "stages/images/image.h"

namespace penstock::stages {

// A prediction at native size.
struct NativePrediction {
  PixelMaps maps;
  LabelMap objects;
};

struct SampleScores {
  PixelCounts grid, native;
  ObjectScores objects;
  Calibration calibration = {};  // native; of no pixels where it was not taken
};
pipeline::Value to_json(const SampleScores& scores);
SampleScores sample_scores_from_json(const pipeline::Value& json);

std::vector<uint8_t> foreground_of(const LabelMap& truth);  // 1 where there is an object
PixelCounts native_counts(const NativePrediction& prediction, const LabelMap& truth, double threshold);

// labels/<id>.png (16-bit), probability/<id>.png (8-bit), overlays/<id>.png below `folder`. `shown` is the image at the
// prediction's size, or null: the overlay is then drawn on black.
void write_prediction(const std::filesystem::path& folder, const std::string& id, const NativePrediction& prediction,
                      const Image* shown);

// One row per object: [{"object", "area", "x", "y", "probability"}], centroids in native pixels.
pipeline::Value object_rows(const NativePrediction& prediction);
// Kaggle's run lengths of each object: "start length start length ...", column by column from 1.
std::vector<std::string> run_lengths(const LabelMap& objects);

}  // namespace penstock::stages
