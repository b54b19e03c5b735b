#include "stages/compute/scores/instances.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

std::vector<int64_t> areas(const LabelMap& map) {
  std::vector<int64_t> counts(static_cast<size_t>(map.objects()) + 1);
  for (const uint16_t label : map.labels) ++counts[label];
  return counts;
}

SizeCounts& class_of(int64_t area, SizeClasses& classes) {
  const auto limit = std::upper_bound(size_limits.begin(), size_limits.end(), area);
  return classes[static_cast<size_t>(limit - size_limits.begin())];
}

}  // namespace

double average_precision(int64_t matches, int64_t objects_true, int64_t objects_predicted) {
  const int64_t either = objects_true + objects_predicted - matches;
  return either == 0 ? 1 : static_cast<double>(matches) / static_cast<double>(either);
}

ObjectScores score_objects(const LabelMap& truth, const LabelMap& predicted) {
  PENSTOCK_CHECK(truth.labels.size() == predicted.labels.size(), "objects are compared on one grid");
  const auto true_areas = areas(truth), predicted_areas = areas(predicted);
  ObjectScores scores;
  scores.objects_true =
      static_cast<int>(std::count_if(true_areas.begin() + 1, true_areas.end(), [](int64_t a) { return a > 0; }));
  scores.objects_predicted = static_cast<int>(
      std::count_if(predicted_areas.begin() + 1, predicted_areas.end(), [](int64_t a) { return a > 0; }));
  for (auto area = true_areas.begin() + 1; area != true_areas.end(); ++area) {
    if (*area > 0) ++class_of(*area, scores.by_size).objects;
  }
  if (scores.objects_true == 0 && scores.objects_predicted == 0) {
    scores.map = scores.ap50 = scores.f1_50 = scores.panoptic_quality = 1;
    return scores;
  }
  std::unordered_map<uint32_t, int64_t> overlaps;
  for (size_t i = 0; i < truth.labels.size(); ++i) {
    if (truth.labels[i] != 0 && predicted.labels[i] != 0)
      ++overlaps[uint32_t{truth.labels[i]} << 16 | predicted.labels[i]];
  }
  // Above 0.5 a pair's IoU is the only one of either: no assignment problem is left.
  std::vector<double> matched;
  for (const auto& [pair, both] : overlaps) {
    const int64_t either = true_areas[pair >> 16] + predicted_areas[pair & 0xffff] - both;
    if (2 * both <= either) continue;
    matched.push_back(static_cast<double>(both) / static_cast<double>(either));
    ++class_of(true_areas[pair >> 16], scores.by_size).found;
  }
  std::sort(matched.begin(), matched.end());  // sums in one order, whatever the map's
  for (int step = 0; step < 10; ++step) {
    const double t = 0.5 + 0.05 * step;
    const auto tp = static_cast<int>(matched.end() - std::upper_bound(matched.begin(), matched.end(), t));
    const double ap = average_precision(tp, scores.objects_true, scores.objects_predicted);
    scores.matches[static_cast<size_t>(step)] = tp;
    if (step == 0) scores.ap50 = ap;
    scores.map += ap / 10;
  }
  const auto tp = static_cast<double>(matched.size());
  const double half = (scores.objects_true + scores.objects_predicted) / 2.0;
  scores.f1_50 = tp / half;
  scores.panoptic_quality = std::accumulate(matched.begin(), matched.end(), 0.0) / half;
  scores.missed = scores.objects_true - static_cast<int>(matched.size());
  scores.extra = scores.objects_predicted - static_cast<int>(matched.size());
  return scores;
}

}  // namespace penstock::stages
