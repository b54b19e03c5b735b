#include "stages/compute/scores/instances.h"

#include <algorithm>
#include <numeric>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

std::vector<int64_t> areas(const LabelMap& map) {
  std::vector<int64_t> counts(static_cast<size_t>(map.objects()) + 1);
  for (const Label label : map.labels) ++counts[label];
  return counts;
}

uint64_t pair_of(uint32_t truth, uint32_t predicted) { return uint64_t{truth} << 32 | predicted; }

SizeCounts& class_of(int64_t area, SizeClasses& classes) {
  const auto limit = std::upper_bound(size_limits.begin(), size_limits.end(), area);
  return classes[static_cast<size_t>(limit - size_limits.begin())];
}

int present(const std::vector<int64_t>& areas, int64_t minimum_area) {
  const int64_t least = std::max<int64_t>(minimum_area, 1);
  return static_cast<int>(
      std::count_if(areas.begin() + 1, areas.end(), [least](int64_t area) { return area >= least; }));
}

}  // namespace

ObjectComparison::ObjectComparison(const LabelMap& truth, const LabelMap& predicted)
    : true_areas_(areas(truth)), predicted_areas_(areas(predicted)) {
  PENSTOCK_CHECK(truth.labels.size() == predicted.labels.size(), "objects are compared on one grid");
  for (size_t i = 0; i < truth.labels.size(); ++i) {
    if (truth.labels[i] != 0 && predicted.labels[i] != 0) ++overlaps_[pair_of(truth.labels[i], predicted.labels[i])];
  }
}

ObjectComparison::ObjectComparison(const LabelMap& truth, const FoundObjects& predicted)
    : true_areas_(areas(truth)), predicted_areas_(1) {
  PENSTOCK_CHECK(truth.width == predicted.width && truth.height == predicted.height,
                 "objects are compared on one grid");
  for (const FoundObject& object : predicted.objects) {
    predicted_areas_.push_back(object.area);
    const auto number = static_cast<uint32_t>(predicted_areas_.size() - 1);
    for (const ObjectRun& run : predicted.runs_of(object)) {
      const Label* label = &truth.labels[size_t{run.y} * truth.width + run.begin];
      for (int from = 0, to = 0; from < run.length; from = to) {
        while (to < run.length && label[to] == label[from]) ++to;
        if (label[from] != 0) overlaps_[pair_of(label[from], number)] += to - from;
      }
    }
  }
}

ObjectScores ObjectComparison::scores(int64_t minimum_area) const {
  ObjectScores scores;
  scores.objects_true = present(true_areas_, 0);
  scores.objects_predicted = present(predicted_areas_, minimum_area);
  for (auto area = true_areas_.begin() + 1; area != true_areas_.end(); ++area) {
    if (*area > 0) ++class_of(*area, scores.by_size).objects;
  }
  if (scores.objects_true == 0 && scores.objects_predicted == 0) {
    scores.map = scores.ap50 = scores.f1_50 = scores.panoptic_quality = 1;
    return scores;
  }
  // Above 0.5 a pair's IoU is the only one of either: no assignment problem is left.
  std::vector<double> matched;
  for (const auto& [pair, both] : overlaps_) {
    const size_t truth = pair >> 32, predicted = pair & 0xffffffff;
    if (predicted_areas_[predicted] < minimum_area) continue;
    const int64_t either = true_areas_[truth] + predicted_areas_[predicted] - both;
    if (2 * both <= either) continue;
    matched.push_back(static_cast<double>(both) / static_cast<double>(either));
    ++class_of(true_areas_[truth], scores.by_size).found;
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

double average_precision(int64_t matches, int64_t objects_true, int64_t objects_predicted) {
  const int64_t either = objects_true + objects_predicted - matches;
  return either == 0 ? 1 : static_cast<double>(matches) / static_cast<double>(either);
}

ObjectScores score_objects(const LabelMap& truth, const LabelMap& predicted) {
  return ObjectComparison(truth, predicted).scores();
}

ObjectScores score_objects(const LabelMap& truth, const FoundObjects& predicted) {
  return ObjectComparison(truth, predicted).scores();
}

}  // namespace penstock::stages
