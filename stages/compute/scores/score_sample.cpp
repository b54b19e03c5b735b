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

PixelCounts native_counts(const NativePrediction& prediction, const LabelMap& truth, double threshold) {
  return count_pixels(prediction.maps.foreground(), foreground_of(truth), threshold);
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

}  // namespace penstock::stages
