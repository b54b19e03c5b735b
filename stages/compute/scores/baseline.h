// What needs no training, as a baseline beside a model's figures: Otsu's threshold (Otsu 1979) of each picture by
// itself. Pure; any thread may call.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/decoders.h"
#include "stages/images/label_codec.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {

// A picture as it lies in the shards, [height, width, channels].
struct SamplePicture {
  PixelValues values;
  int width = 0, height = 0, channels = 0;
};

// 1 where the grey picture (the mean of its channels), brought to native size, is foreground, else 0: [height, width].
// Otsu's threshold divides the pixels in two; those of the smaller area are the foreground, of equal ones the brighter.
// A picture of one grey has none.
std::vector<float> otsu_foreground(const SamplePicture& picture, int native_width, int native_height);

// Its scores against the true objects, as score_sample.h has a model's; nothing on the grid. Objects are connected
// components, of the connectivity and smallest area of `rules`, whatever decoder they name.
pipeline::Value otsu_scores(const SamplePicture& picture, const LabelMap& truth, const InstanceRules& rules);

// Sets "otsu" of each subset in `metrics`, from rows of samples whose "otsu" is set (FORMATS.md).
void add_otsu(pipeline::Value& metrics, const std::map<std::string, pipeline::Value>& rows,
              const std::map<std::string, std::string>& subset_of);

}  // namespace penstock::stages
