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

double mean(const std::vector<SampleScores>& rows, double (*figure)(const ObjectScores&)) {
  double sum = 0;
  for (const SampleScores& row : rows) sum += figure(row.objects);
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

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
  return {{"grid", counts_json(scores.grid)}, {"native", std::move(native)}};
}

SampleScores sample_scores_from_json(const Value& json) {
  const Value& n = json.at("native");
  return {counts_from(json.at("grid")),
          counts_from(n),
          {n.at("objects_true"), n.at("objects_predicted"), n.at("map"), n.at("ap50"),
           n.at("matches").get<std::array<int, 10>>(), n.at("f1_50"), n.at("panoptic_quality"), n.at("missed"),
           n.at("extra")}};
}

PixelCounts native_counts(const FoundObjects& found, const LabelMap& truth) {
  PENSTOCK_CHECK(truth.width == found.width && truth.height == found.height, "foreground is compared on one grid");
  PixelCounts counts;
  for (const auto* runs : {&found.runs, &found.left_out}) {
    for (const ObjectRun& run : *runs) {
      const auto label = truth.labels.begin() + static_cast<ptrdiff_t>(size_t{run.y} * truth.width + run.begin);
      const int64_t outside = std::count(label, label + run.length, uint16_t{0});
      counts.tp += run.length - outside, counts.fp += outside;
    }
  }
  counts.tn = std::count(truth.labels.begin(), truth.labels.end(), uint16_t{0}) - counts.fp;
  counts.fn = static_cast<int64_t>(truth.labels.size()) - counts.tp - counts.fp - counts.tn;
  return counts;
}

// At each IoU threshold, 0.50 to 0.95: the mean over images, and of the objects of all images together.
Value precision_by_threshold(const std::vector<SampleScores>& rows) {
  Value by_image = Value::array(), pooled = Value::array();
  for (size_t step = 0; step < ObjectScores().matches.size(); ++step) {
    double sum = 0;
    int64_t matches = 0, truth = 0, predicted = 0;
    for (const SampleScores& row : rows) {
      const ObjectScores& o = row.objects;
      sum += average_precision(o.matches[step], o.objects_true, o.objects_predicted);
      matches += o.matches[step], truth += o.objects_true, predicted += o.objects_predicted;
    }
    by_image.push_back(rows.empty() ? 0 : sum / static_cast<double>(rows.size()));
    pooled.push_back(average_precision(matches, truth, predicted));
  }
  return {{"by_image", std::move(by_image)}, {"pooled", std::move(pooled)}};
}

Value summarise_scores(const std::vector<SampleScores>& rows, bool with_grid) {
  PixelCounts grid, native;
  std::vector<PixelCounts> grids, natives;
  int64_t missed = 0, extra = 0, truth = 0, predicted = 0;
  for (const SampleScores& row : rows) {
    grid += row.grid, native += row.native;
    grids.push_back(row.grid), natives.push_back(row.native);
    missed += row.objects.missed, extra += row.objects.extra;
    truth += row.objects.objects_true, predicted += row.objects.objects_predicted;
  }
  Value summary = {{"images", rows.size()},
                   {"native",
                    {{"micro", figures_of(native)},
                     {"macro", mean_figures(natives)},
                     {"map", mean(rows, [](const ObjectScores& o) { return o.map; })},
                     {"ap50", mean(rows, [](const ObjectScores& o) { return o.ap50; })},
                     {"ap", precision_by_threshold(rows)},
                     {"f1_50", mean(rows, [](const ObjectScores& o) { return o.f1_50; })},
                     {"panoptic_quality", mean(rows, [](const ObjectScores& o) { return o.panoptic_quality; })},
                     {"objects_true", truth},
                     {"objects_predicted", predicted},
                     {"missed", missed},
                     {"extra", extra}}}};
  if (with_grid) summary["grid"] = {{"micro", figures_of(grid)}, {"macro", mean_figures(grids)}};
  return summary;
}

}  // namespace penstock::stages
