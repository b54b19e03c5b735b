#include "stages/audit/alignment.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace penstock::stages {
namespace {

constexpr size_t most_outline = 20000;  // pixels looked at; of longer outlines every n-th

// |dx| + |dy| of central differences; 0 at the border.
std::vector<int> gradient_of(const std::vector<uint8_t>& grey, int width, int height) {
  std::vector<int> gradient(grey.size());
  for (int y = 1; y + 1 < height; ++y) {
    for (int x = 1; x + 1 < width; ++x) {
      const size_t at = static_cast<size_t>(y) * width + x;
      gradient[at] = std::abs(grey[at + 1] - grey[at - 1]) + std::abs(grey[at + width] - grey[at - width]);
    }
  }
  return gradient;
}

// Labelled pixels beside another label, so far inside that every offset stays in the picture.
std::vector<size_t> outline_of(const LabelMap& map) {
  std::vector<size_t> outline;
  for (int y = widest_shift + 1; y + widest_shift + 1 < map.height; ++y) {
    for (int x = widest_shift + 1; x + widest_shift + 1 < map.width; ++x) {
      const size_t at = static_cast<size_t>(y) * map.width + x;
      const Label label = map.labels[at];
      if (label == 0) continue;
      if (map.labels[at - 1] != label || map.labels[at + 1] != label || map.labels[at - map.width] != label ||
          map.labels[at + map.width] != label)
        outline.push_back(at);
    }
  }
  const size_t every = outline.size() / most_outline + 1;
  size_t kept = 0;
  for (size_t i = 0; i < outline.size(); i += every) outline[kept++] = outline[i];
  outline.resize(kept);
  return outline;
}

struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread_of(const std::vector<int>& values) {
  int64_t sum = 0, squares = 0;
  for (const int value : values) sum += value, squares += static_cast<int64_t>(value) * value;
  const auto count = static_cast<double>(values.size());
  const double mean = static_cast<double>(sum) / count;
  return {mean, std::sqrt(std::max(0.0, static_cast<double>(squares) / count - mean * mean))};
}

}  // namespace

Alignment alignment_of(const std::vector<uint8_t>& grey, const LabelMap& map) {
  Alignment found;
  if (grey.size() != map.labels.size() || grey.empty()) return found;
  const std::vector<size_t> outline = outline_of(map);
  const std::vector<int> gradient = gradient_of(grey, map.width, map.height);
  const Spread spread = spread_of(gradient);
  if (outline.empty() || spread.deviation == 0) return found;
  const auto score = [&](int dx, int dy) {
    int64_t sum = 0;
    const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(dy) * map.width + dx;
    for (const size_t at : outline) sum += gradient[at + offset];
    return (static_cast<double>(sum) / static_cast<double>(outline.size()) - spread.mean) / spread.deviation;
  };
  found.here = found.best = score(0, 0);
  for (int dy = -widest_shift; dy <= widest_shift; ++dy) {
    for (int dx = -widest_shift; dx <= widest_shift; ++dx) {
      const double here = score(dx, dy);
      if (here > found.best) found.dx = dx, found.dy = dy, found.best = here;
    }
  }
  return found;
}

double share_above_otsu(const std::vector<uint8_t>& grey) {
  std::array<int64_t, 256> counts{};
  int64_t sum = 0;
  for (const uint8_t value : grey) ++counts[value], sum += value;
  const auto all = static_cast<int64_t>(grey.size());
  double most = 0, share = 0;
  int64_t below = 0, below_sum = 0;
  for (int threshold = 0; threshold < 255; ++threshold) {
    below += counts[threshold];
    below_sum += counts[threshold] * threshold;
    if (below == 0 || below == all) continue;
    const double low = static_cast<double>(below_sum) / static_cast<double>(below);
    const double high = static_cast<double>(sum - below_sum) / static_cast<double>(all - below);
    const double between = static_cast<double>(below) * static_cast<double>(all - below) * (high - low) * (high - low);
    if (between > most) most = between, share = static_cast<double>(all - below) / static_cast<double>(all);
  }
  return share;
}

}  // namespace penstock::stages
