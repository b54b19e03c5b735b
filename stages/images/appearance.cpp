#include "stages/images/appearance.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

void check_rgb(const Image& image) {
  check_whole(image);
  PENSTOCK_CHECK(image.channels == 3 && image.bits == 8,
                 fmt::format("an appearance is that of an 8-bit RGB image, not of {} channels of {} bits",
                             image.channels, image.bits));
}

}  // namespace

double colourfulness_of(const PixelValues& rgb) {
  size_t sum = 0;
  rgb.with([&](const auto* value) {
    for (size_t i = 0; i + 2 < rgb.size(); i += 3) {
      const auto [least, most] = std::minmax({value[i], value[i + 1], value[i + 2]});
      sum += static_cast<size_t>(most - least);
    }
  });
  return in_bytes(sum, rgb.bits) / static_cast<double>(rgb.size() / 3);
}

Brightness brightness_of(const Image& rgb) {
  check_rgb(rgb);
  Brightness found;
  for (auto& counts : found.histogram) counts.assign(intensity_bins, 0);
  const size_t pixels = static_cast<size_t>(rgb.width) * rgb.height;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* p = &rgb.bytes[i * 3];
    for (int c = 0; c < 3; ++c) ++found.histogram[c][p[c]];
    found.mean += (p[0] + p[1] + p[2]) / 3.0;
  }
  found.mean /= static_cast<double>(pixels);
  found.colourfulness = colourfulness_of(rgb.bytes);
  return found;
}

std::string look_of(const Image& rgb, const Brightness& brightness, const LabelMap* labels) {
  check_rgb(rgb);
  if (brightness.colourfulness > stained_colourfulness) return "stained";
  if (labels == nullptr || labels->labels.size() * 3 != rgb.bytes.size())
    return brightness.mean > 127 ? "brightfield" : "fluorescence";
  double inside = 0, outside = 0, count = 0;
  for (size_t i = 0; i < labels->labels.size(); ++i) {
    if (labels->labels[i] != 0)
      inside += rgb.bytes[i * 3], ++count;
    else
      outside += rgb.bytes[i * 3];
  }
  const double rest = static_cast<double>(labels->labels.size()) - count;
  if (count == 0 || rest == 0) return brightness.mean > 127 ? "brightfield" : "fluorescence";
  return inside / count < outside / rest ? "brightfield" : "fluorescence";
}

}  // namespace penstock::stages
