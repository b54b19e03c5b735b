// Pixel values as the network sees them. Recorded in model.json, so that train, eval and predict do the same. Pure; any
// thread may call.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {

struct Normaliser {
  std::string kind = "unit";     // normalisations.h; unit: value / 255; zscore: (value / 255 - mean) / sd by channel
  std::vector<double> mean, sd;  // zscore only, of the train subset
  double low = 1, high = 99;     // percentile only: shares of an image's values, %, that become 0 and 1

  // image [H,W,C] -> out [C,H,W] float32. percentile: the image's percentiles `low` and `high` over all
  // channels become 0 and 1, values beyond are cut.
  void apply(const PixelValues& image, int channels, float* out) const;
  // The bytes that become 0 and 1 in `image`; the same for all images but with percentile. `times`: how many equal
  // channels each value stands for.
  std::pair<double, double> range_of(const PixelValues& image, size_t times = 1) const;
  // What each byte of channel `c` becomes in an image of this range; a value of 16 bits lies between two (shown_value).
  std::array<float, 256> table(const std::pair<double, double>& range, int c) const;
};

pipeline::Value to_json(const Normaliser& normaliser);
// Throws Error(data) where the kind is not one of normalisations.h, Value::exception where a field is missing.
Normaliser normaliser_from_json(const pipeline::Value& json);

// Measures mean and sd over these images when the kind needs them.
Normaliser make_normaliser(const std::string& kind, const std::vector<const std::vector<uint8_t>*>& images,
                           int channels);
// The same of images that come one after another: each(see) calls see(image) for each. Their order does not matter.
using SeeImage = std::function<void(const PixelValues&)>;
Normaliser measured_normaliser(const std::string& kind, const std::function<void(const SeeImage&)>& each, int channels);

}  // namespace penstock::stages
