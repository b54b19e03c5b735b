// The choices of resize.contrast: what becomes black and white of a picture of 16 bits (or of values mapped to 16
// bits), and how it becomes one of 8 bits. Pure.
//
// Limits are the values at 0.1 % and 99.9 % of the picture's sorted values, so that hot and dead pixels move nothing;
// where these two are equal, the smallest and the largest value. Of colours they are those of all channels together, of
// signals each channel has its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stages/images/image.h"

namespace penstock::stages {

struct Limits {
  uint16_t low = 0, high = 0;  // of the image's 16-bit values

  bool operator==(const Limits&) const = default;
};

struct ContrastRule {
  std::string name, help;
  // Whether these values, given by their limits, are stretched so that the limits become 0 and the largest; else all of
  // 0..65535 becomes that. `repeats_8_bits`: each value is a multiple of 257, as 8 bits written as 16 are.
  bool (*stretches)(const Limits& limits, bool repeats_8_bits);
  // Stretched by the root of what is above the lower limit: levels are as far apart as the noise of counted photons,
  // so that dim objects beside bright ones keep theirs.
  bool root = false;
};

const std::vector<ContrastRule>& contrast_rules();
const ContrastRule& contrast_rule(std::string_view name);  // fails a check where there is none of that name

// A picture without alpha in 8 bits, or in 16 where `bits` says so and not every value repeats 8 bits (then 8 hold them
// all). `taken` gets the limits used, one for colours, one a channel for signals ({0, 65535} for a channel that was not
// stretched); it stays empty where nothing was, and for an image of 8 bits, which stays as it is.
Image with_contrast(Image image, const ContrastRule& rule, int bits, std::vector<Limits>& taken);

}  // namespace penstock::stages
