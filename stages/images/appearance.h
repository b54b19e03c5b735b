// What a picture looks like: its intensities, and which kind of microscopy it comes from.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stages/images/image.h"
#include "stages/images/label_codec.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {

inline constexpr int intensity_bins = 256;

// Above it a picture's colourfulness makes it a stained one.
inline constexpr double stained_colourfulness = 6;

struct Brightness {
  double mean = 0;                                // of (R + G + B) / 3, 0..255
  double colourfulness = 0;                       // colourfulness_of()
  std::array<std::vector<int64_t>, 3> histogram;  // pixels of each value, of red, green and blue
};

// Mean over pixels of max(R, G, B) - min(R, G, B), in bytes, of [pixels, 3].
double colourfulness_of(const PixelValues& rgb);

// Of an 8-bit RGB image.
Brightness brightness_of(const Image& rgb);

// "stained" by colour; else "brightfield" where objects are darker than what surrounds them, "fluorescence" where they
// are brighter. Without labels (nullptr, or of another size) the picture's own brightness decides.
std::string look_of(const Image& rgb, const Brightness& brightness, const LabelMap* labels);

}  // namespace penstock::stages
