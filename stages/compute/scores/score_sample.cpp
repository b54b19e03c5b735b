#include "stages/compute/scores/score_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "pipeline/files.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

Value counts_json(const PixelCounts& c) {
  return {{"tp", c.tp}, {"fp", c.fp}, {"fn", c.fn}, {"tn", c.tn}, {"dice", c.dice()}, {"iou", c.iou()}};
}
PixelCounts counts_from(const Value& json) { return {json.at("tp"), json.at("fp"), json.at("fn"), json.at("tn")}; }

// A pixel of an object whose right or lower neighbour, or left or upper, belongs to something else.
bool on_edge(const LabelMap& map, int x, int y) {
  const auto at = [&](int u, int v) { return map.labels[static_cast<size_t>(v) * map.width + u]; };
  const uint16_t own = at(x, y);
  return own != 0 && (x == 0 || y == 0 || x + 1 == map.width || y + 1 == map.height || at(x - 1, y) != own ||
                      at(x + 1, y) != own || at(x, y - 1) != own || at(x, y + 1) != own);
}

Image overlay_of(const NativePrediction& prediction, const Image* shown) {
  Image overlay{prediction.maps.width, prediction.maps.height, 3, 8, {}};
  if (shown != nullptr)
    overlay.bytes = to_channels(to_shown(*shown), 3).bytes;
  else
    overlay.bytes.resize(overlay.values());
  for (int y = 0; y < overlay.height; ++y) {
    for (int x = 0; x < overlay.width; ++x) {
      if (!on_edge(prediction.objects, x, y)) continue;
      uint8_t* pixel = &overlay.bytes[(static_cast<size_t>(y) * overlay.width + x) * 3];
      pixel[0] = 255, pixel[1] = 60, pixel[2] = 200;
    }
  }
  return overlay;
}

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

PixelCounts native_counts(const NativePrediction& prediction, const LabelMap& truth, double threshold) {
  std::vector<uint8_t> mask(truth.labels.size());
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = truth.labels[i] != 0;
  return count_pixels(prediction.maps.foreground(), mask, threshold);
}

void write_prediction(const std::filesystem::path& folder, const std::string& id, const NativePrediction& prediction,
                      const Image* shown) {
  const std::string name = id + ".png";
  const auto foreground = prediction.maps.foreground();
  Image labels{prediction.maps.width, prediction.maps.height, 1, 16,
               std::vector<uint8_t>(prediction.objects.labels.size() * 2)};
  std::memcpy(labels.bytes.data(), prediction.objects.labels.data(), labels.bytes.size());
  Image probability{prediction.maps.width, prediction.maps.height, 1, 8, std::vector<uint8_t>(foreground.size())};
  for (size_t i = 0; i < probability.bytes.size(); ++i) {
    probability.bytes[i] = static_cast<uint8_t>(std::lround(std::clamp(foreground[i], 0.0f, 1.0f) * 255));
  }
  pipeline::write_file(folder / "labels" / name, encode_png(labels));
  pipeline::write_file(folder / "probability" / name, encode_png(probability));
  pipeline::write_file(folder / "overlays" / name, encode_png(overlay_of(prediction, shown)));
}

Value object_rows(const NativePrediction& prediction) {
  struct Sums {
    int64_t area = 0, x = 0, y = 0;
    double probability = 0;
  };
  const auto foreground = prediction.maps.foreground();
  std::vector<Sums> sums(static_cast<size_t>(prediction.objects.objects()));
  for (int y = 0; y < prediction.maps.height; ++y) {
    for (int x = 0; x < prediction.maps.width; ++x) {
      const size_t i = static_cast<size_t>(y) * prediction.maps.width + x;
      if (prediction.objects.labels[i] == 0) continue;
      Sums& object = sums[prediction.objects.labels[i] - 1];
      ++object.area;
      object.x += x, object.y += y;
      object.probability += foreground[i];
    }
  }
  Value rows = Value::array();
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto area = static_cast<double>(sums[i].area);
    rows.push_back({{"object", i + 1},
                    {"area", sums[i].area},
                    {"x", static_cast<double>(sums[i].x) / area},
                    {"y", static_cast<double>(sums[i].y) / area},
                    {"probability", sums[i].probability / area}});
  }
  return rows;
}

std::vector<std::string> run_lengths(const LabelMap& objects) {
  struct Run {
    int64_t start, length;
  };
  std::vector<std::vector<Run>> runs(static_cast<size_t>(objects.objects()));
  for (int x = 0; x < objects.width; ++x) {
    for (int y = 0; y < objects.height; ++y) {
      const uint16_t label = objects.labels[static_cast<size_t>(y) * objects.width + x];
      if (label == 0) continue;
      const int64_t place = int64_t{x} * objects.height + y + 1;
      auto& own = runs[label - 1];
      if (!own.empty() && own.back().start + own.back().length == place)
        ++own.back().length;
      else
        own.push_back({place, 1});
    }
  }
  std::vector<std::string> texts;
  for (const auto& own : runs) {
    std::string text;
    for (const Run& run : own) text += fmt::format("{}{} {}", text.empty() ? "" : " ", run.start, run.length);
    texts.push_back(std::move(text));
  }
  return texts;
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
