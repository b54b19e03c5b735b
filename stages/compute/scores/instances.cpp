#include "stages/compute/scores/instances.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace penstock::stages {
namespace {

// Union-find with path halving.
class Forest {
 public:
  uint32_t add() {
    parent_.push_back(static_cast<uint32_t>(parent_.size()));
    return parent_.back();
  }
  uint32_t root(uint32_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  void join(uint32_t a, uint32_t b) {
    a = root(a), b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }
  size_t size() const { return parent_.size(); }

 private:
  std::vector<uint32_t> parent_;
};

constexpr uint32_t background = std::numeric_limits<uint32_t>::max();

std::vector<int64_t> areas(const LabelMap& map) {
  std::vector<int64_t> counts(static_cast<size_t>(map.objects()) + 1);
  for (const uint16_t label : map.labels) ++counts[label];
  return counts;
}

}  // namespace

LabelMap components(std::span<const float> probability, int width, int height, double threshold,
                    const InstanceRules& rules) {
  const auto limit = static_cast<float>(threshold);
  std::vector<uint32_t> provisional(probability.size(), background);
  Forest forest;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const size_t i = static_cast<size_t>(y) * width + x;
      if (!(probability[i] > limit)) continue;
      const auto meet = [&](size_t neighbour) {
        if (provisional[neighbour] == background) return;
        if (provisional[i] == background)
          provisional[i] = provisional[neighbour];
        else
          forest.join(provisional[i], provisional[neighbour]);
      };
      if (x > 0) meet(i - 1);
      if (y > 0) meet(i - width);
      if (rules.connectivity == 8 && y > 0 && x > 0) meet(i - width - 1);
      if (rules.connectivity == 8 && y > 0 && x + 1 < width) meet(i - width + 1);
      if (provisional[i] == background) provisional[i] = forest.add();
    }
  }
  std::vector<int64_t> area(forest.size());
  for (uint32_t& label : provisional) {
    if (label != background) ++area[label = forest.root(label)];
  }
  std::vector<uint16_t> number(forest.size());
  uint16_t next = 0;
  LabelMap map{height, width, std::vector<uint16_t>(probability.size())};
  for (size_t i = 0; i < provisional.size(); ++i) {
    const uint32_t label = provisional[i];
    if (label == background || area[label] < rules.minimum_area) continue;
    if (number[label] == 0 && next < std::numeric_limits<uint16_t>::max()) number[label] = ++next;
    map.labels[i] = number[label];
  }
  return map;
}

ObjectScores score_objects(const LabelMap& truth, const LabelMap& predicted) {
  const auto true_areas = areas(truth), predicted_areas = areas(predicted);
  ObjectScores scores;
  scores.objects_true =
      static_cast<int>(std::count_if(true_areas.begin() + 1, true_areas.end(), [](int64_t a) { return a > 0; }));
  scores.objects_predicted = static_cast<int>(
      std::count_if(predicted_areas.begin() + 1, predicted_areas.end(), [](int64_t a) { return a > 0; }));
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
    if (2 * both > either) matched.push_back(static_cast<double>(both) / static_cast<double>(either));
  }
  std::sort(matched.begin(), matched.end());  // sums in one order, whatever the map's
  for (int step = 0; step < 10; ++step) {
    const double t = 0.5 + 0.05 * step;
    const auto tp = static_cast<double>(matched.end() - std::upper_bound(matched.begin(), matched.end(), t));
    const double ap = tp / (scores.objects_true + scores.objects_predicted - tp);
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
