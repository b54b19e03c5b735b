#include "stages/compute/scores/summaries.h"

#include <algorithm>
#include <utility>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

double mean(const std::vector<SampleScores>& rows, double (*figure)(const ObjectScores&)) {
  double sum = 0;
  for (const SampleScores& row : rows) sum += figure(row.objects);
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
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

// The 95 % intervals of a few figures by bootstrap over images (Efron 1979): of images drawn with replacement, the same
// draws for every set of so many images.
Value intervals_of(const std::vector<SampleScores>& rows) {
  constexpr size_t resamples = 1000, lowest = 25, highest = 975;
  std::vector<double> dice, map, ap50;
  const Draws draws(0, "bootstrap");
  for (size_t r = 0; r < resamples; ++r) {
    PixelCounts counts;
    double map_sum = 0, ap50_sum = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const SampleScores& row = rows[draws.below(r * rows.size() + i, rows.size())];
      counts += row.native;
      map_sum += row.objects.map, ap50_sum += row.objects.ap50;
    }
    dice.push_back(counts.dice());
    map.push_back(map_sum / static_cast<double>(rows.size()));
    ap50.push_back(ap50_sum / static_cast<double>(rows.size()));
  }
  const auto interval = [&](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return Value{values[lowest - 1], values[highest - 1]};
  };
  return {{"dice", interval(dice)}, {"map", interval(map)}, {"ap50", interval(ap50)}};
}

// Found and missed objects by size, and calibration, over all images.
void add_breakdowns(const std::vector<SampleScores>& rows, Value& native) {
  SizeClasses sizes;
  Calibration calibration;
  for (const SampleScores& row : rows) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      sizes[i].objects += row.objects.by_size[i].objects;
      sizes[i].found += row.objects.by_size[i].found;
    }
    calibration += row.calibration;
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    Value size = {{"from", i == 0 ? 0 : size_limits[i - 1]}, {"objects", sizes[i].objects}, {"found", sizes[i].found}};
    if (i < size_limits.size()) size["below"] = size_limits[i];
    native["by_size"].push_back(std::move(size));
  }
  if (calibration.pixels() == 0) return;
  native["calibration"] = {{"error", calibration.error()}, {"bins", Value::array()}};
  for (const auto& bin : calibration.bins) {
    if (bin.pixels == 0) continue;
    const auto pixels = static_cast<double>(bin.pixels);
    native["calibration"]["bins"].push_back({{"pixels", bin.pixels},
                                             {"probability", static_cast<double>(bin.probabilities) / 65535 / pixels},
                                             {"foreground", static_cast<double>(bin.there) / pixels}});
  }
}

}  // namespace

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
  add_breakdowns(rows, summary["native"]);
  if (rows.size() > 1) summary["native"]["intervals"] = intervals_of(rows);
  if (with_grid) summary["grid"] = {{"micro", figures_of(grid)}, {"macro", mean_figures(grids)}};
  return summary;
}

}  // namespace penstock::stages
