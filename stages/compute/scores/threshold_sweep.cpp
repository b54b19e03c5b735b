#include "stages/compute/scores/threshold_sweep.h"

#include <cmath>

#include "distributed/check.h"

namespace penstock::stages {

std::vector<double> swept_thresholds() {
  std::vector<double> all;
  for (int i = 1; i < 50; ++i) all.push_back(i / 50.0);
  return all;
}

std::vector<PixelCounts> sweep(std::span<const float> probability, std::span<const uint8_t> truth) {
  std::vector<PixelCounts> counts;
  for (const double threshold : swept_thresholds()) counts.push_back(count_pixels(probability, truth, threshold));
  return counts;
}

double best_threshold(const std::vector<PixelCounts>& sums) {
  const auto all = swept_thresholds();
  PENSTOCK_CHECK(sums.size() == all.size(), "there are counts for each swept threshold");
  size_t best = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const double gain = sums[i].dice() - sums[best].dice();
    if (gain > 0 || (gain == 0 && std::abs(all[i] - 0.5) < std::abs(all[best] - 0.5))) best = i;
  }
  return all[best];
}

pipeline::Value sweep_points(const std::vector<PixelCounts>& sums) {
  const auto all = swept_thresholds();
  pipeline::Value points = pipeline::Value::array();
  for (size_t i = 0; i < all.size(); ++i) {
    const PixelCounts& c = sums[i];
    points.push_back({{"threshold", all[i]},
                      {"tp", c.tp},
                      {"fp", c.fp},
                      {"fn", c.fn},
                      {"tn", c.tn},
                      {"precision", c.precision()},
                      {"recall", c.recall()},
                      {"dice", c.dice()},
                      {"false_positive_rate", 1 - c.specificity()}});
  }
  return points;
}

}  // namespace penstock::stages
