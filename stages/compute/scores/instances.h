// Predicted objects against true ones: scores. Pure; any thread may call.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "stages/compute/scores/found_objects.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

// True objects are also counted by their size: the upper limits of the classes, pixels of area; the last has none.
inline constexpr std::array<int64_t, 3> size_limits = {64, 256, 1024};
struct SizeCounts {
  int64_t objects = 0, found = 0;  // found: matched at IoU 0.5
};
using SizeClasses = std::array<SizeCounts, size_limits.size() + 1>;

// Of one image.
struct ObjectScores {
  int objects_true = 0, objects_predicted = 0;
  double map =
      0;  // mean over t = 0.50, 0.55 .. 0.95 of TP / (TP + FP + FN), matched when IoU > t: the score of DSB2018
  double ap50 = 0;                   // at t = 0.50
  std::array<int, 10> matches = {};  // TP at each of these t
  double f1_50 = 0;
  double panoptic_quality = 0;  // sum of IoU over matches at 0.5, over TP + (FP + FN) / 2 (Kirillov et al. 2019)
  int missed = 0, extra = 0;    // true objects without a match at 0.5; predicted ones without
  SizeClasses by_size = {};
};
// TP / (TP + FP + FN); 1 of no objects at all.
double average_precision(int64_t matches, int64_t objects_true, int64_t objects_predicted);

// The scores of predicted objects without the small ones, for several limits at the cost of one.
class ObjectComparison {
 public:
  ObjectComparison(const LabelMap& truth, const LabelMap& predicted);
  ObjectComparison(const LabelMap& truth, const FoundObjects& predicted);

  // Predicted objects of fewer pixels do not count. No objects on either side: every score is 1.
  ObjectScores scores(int64_t minimum_area = 0) const;

 private:
  std::vector<int64_t> true_areas_, predicted_areas_;  // by number, from 1 on
  // Of how many pixels each pair of a true and a predicted object shares: (true << 32 | predicted) -> pixels.
  std::unordered_map<uint64_t, int64_t> overlaps_;
};
ObjectScores score_objects(const LabelMap& truth, const LabelMap& predicted);
ObjectScores score_objects(const LabelMap& truth, const FoundObjects& predicted);

}  // namespace penstock::stages
