// Objects: from probabilities to connected components, and from components to scores. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stages/images/label_codec.h"

namespace penstock::stages {

struct InstanceRules {
  int connectivity = 4;      // 4: pixels that share an edge belong together
  int64_t minimum_area = 0;  // smaller components are removed, native pixels
};

// Connected components of probability > threshold, numbered 1..n in the order of their first pixels. More than 65,535:
// the smallest numbers are kept.
LabelMap components(std::span<const float> probability, int width, int height, double threshold,
                    const InstanceRules& rules);

// Predicted objects against true ones, in one image.
struct ObjectScores {
  int objects_true = 0, objects_predicted = 0;
  double map =
      0;  // mean over t = 0.50, 0.55 .. 0.95 of TP / (TP + FP + FN), matched when IoU > t: the score of DSB2018
  double ap50 = 0;  // at t = 0.50
  double f1_50 = 0;
  double panoptic_quality = 0;  // sum of IoU over matches at 0.5, over TP + (FP + FN) / 2 (Kirillov et al. 2019)
  int missed = 0, extra = 0;    // true objects without a match at 0.5; predicted ones without
};
// Both empty: every score is 1.
ObjectScores score_objects(const LabelMap& truth, const LabelMap& predicted);

}  // namespace penstock::stages
