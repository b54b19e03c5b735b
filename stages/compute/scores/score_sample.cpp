#include "stages/compute/scores/score_sample.h"

#include <algorithm>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

Value counts_json(const PixelCounts& c) {
  return {{"tp", c.tp}, {"fp", c.fp}, {"fn", c.fn}, {"tn", c.tn}, {"dice", c.dice()}, {"iou", c.iou()}};
}
PixelCounts counts_from(const Value& json) { return {json.at("tp"), json.at("fp"), json.at("fn"), json.at("tn")}; }

}  // namespace

Value to_json(const SampleScores& scores) {
  const ObjectScores& o = scores.objects;
  Value native = counts_json(scores.native);
  native.update({{"map", o.map},
                 {"ap50", o.ap50},
                 {"f1_50", o.f1_50},
                 {"panoptic_quality", o.panoptic_quality},
                 {"objects_true", o.objects_true},
                 {"objects_predicted", o.objects_predicted},
                 {"missed", o.missed},
                 {"extra", o.extra},
                 {"matches", o.matches}});
  for (const SizeCounts& size : o.by_size) native["by_size"].push_back({size.objects, size.found});
  if (scores.calibration.pixels() > 0) {
    for (const auto& bin : scores.calibration.bins)
      native["calibration"].push_back({bin.pixels, bin.there, bin.probabilities});
  }
  return {{"grid", counts_json(scores.grid)}, {"native", std::move(native)}};
}

SampleScores sample_scores_from_json(const Value& json) {
  const Value& n = json.at("native");
  SampleScores scores;
  scores.grid = counts_from(json.at("grid")), scores.native = counts_from(n);
  scores.objects = {n.at("objects_true"),
                    n.at("objects_predicted"),
                    n.at("map"),
                    n.at("ap50"),
                    n.at("matches").get<std::array<int, 10>>(),
                    n.at("f1_50"),
                    n.at("panoptic_quality"),
                    n.at("missed"),
                    n.at("extra"),
                    {}};
  for (size_t i = 0; i < scores.objects.by_size.size(); ++i)
    scores.objects.by_size[i] = {n.at("by_size")[i][0], n.at("by_size")[i][1]};
  if (!n.contains("calibration")) return scores;
  for (size_t i = 0; i < scores.calibration.bins.size(); ++i) {
    const Value& bin = n.at("calibration")[i];
    scores.calibration.bins[i] = {bin[0], bin[1], bin[2]};
  }
  return scores;
}

std::vector<uint8_t> foreground_of(const LabelMap& truth) {
  std::vector<uint8_t> mask(truth.labels.size());
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = truth.labels[i] != 0;
  return mask;
}

PixelCounts native_counts(const FoundObjects& found, const LabelMap& truth) {
  PENSTOCK_CHECK(truth.width == found.width && truth.height == found.height, "foreground is compared on one grid");
  PixelCounts counts;
  for (const ObjectRun& run : found.runs) {
    const auto label = truth.labels.begin() + static_cast<ptrdiff_t>(size_t{run.y} * truth.width + run.begin);
    const int64_t outside = std::count(label, label + run.length, Label{0});
    counts.tp += run.length - outside, counts.fp += outside;
  }
  counts.tn = std::count(truth.labels.begin(), truth.labels.end(), Label{0}) - counts.fp;
  counts.fn = static_cast<int64_t>(truth.labels.size()) - counts.tp - counts.fp - counts.tn;
  return counts;
}

}  // namespace penstock::stages
