// reference_maps OUT COUNT: random label maps and probabilities, with what Penstock makes of them, for the script
// `reference` beside this file, which computes the same with other libraries.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "stages/compute/scores/decoders.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/metrics.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// Discs of random sizes and places, the later ones over the earlier; some numbers are left out.
LabelMap discs(const Draws& draws, int width, int height) {
  LabelMap map{height, width, std::vector<Label>(static_cast<size_t>(width) * height)};
  const uint64_t count = draws.below(0, 15);
  for (uint64_t i = 0; i < count; ++i) {
    const auto at = [&](uint64_t what, int end) { return static_cast<int>(draws.below(10 + 4 * i + what, end)); };
    const int x0 = at(0, width), y0 = at(1, height), radius = 1 + at(2, 9);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if ((x - x0) * (x - x0) + (y - y0) * (y - y0) > radius * radius) continue;
        map.labels[static_cast<size_t>(y) * width + x] = static_cast<Label>(1 + 2 * i + at(3, 2));
      }
    }
  }
  return map;
}

// The same, moved a little, some of them gone.
LabelMap like(const LabelMap& truth, const Draws& draws) {
  LabelMap map = truth;
  const int dx = static_cast<int>(draws.below(0, 3)) - 1, dy = static_cast<int>(draws.below(1, 3)) - 1;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      const int from_x = std::clamp(x + dx, 0, map.width - 1), from_y = std::clamp(y + dy, 0, map.height - 1);
      const Label label = truth.labels[static_cast<size_t>(from_y) * map.width + from_x];
      map.labels[static_cast<size_t>(y) * map.width + x] = draws.uniform(100 + label) < 0.2 ? 0 : label;
    }
  }
  return map;
}

// Smooth hills in [0, 1]: sums of round ones.
std::vector<float> hills(const Draws& draws, int width, int height) {
  std::vector<float> values(static_cast<size_t>(width) * height);
  for (uint64_t i = 0; i < 60; ++i) {
    const double x0 = draws.between(4 * i, 0, width), y0 = draws.between(4 * i + 1, 0, height);
    const double size = draws.between(4 * i + 2, 1, 6), weight = draws.between(4 * i + 3, -1, 1);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const double square = (x - x0) * (x - x0) + (y - y0) * (y - y0);
        values[static_cast<size_t>(y) * width + x] +=
            static_cast<float>(weight * std::exp(-square / (2 * size * size)));
      }
    }
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float least = *low, range = *high - *low;
  for (float& value : values) value = (value - least) / range;
  return values;
}

class Files {
 public:
  explicit Files(std::string folder) : folder_(std::move(folder)) {}
  template <typename Values>
  void append(const std::string& name, const Values& values) {
    std::ofstream file(folder_ + "/" + name, std::ios::binary | std::ios::app);
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(values[0])));
  }

 private:
  std::string folder_;
};

Value one_case(int64_t number, Files& files) {
  const Draws draws(number, "reference");
  const int width = 20 + static_cast<int>(draws.below(0, 50)), height = 20 + static_cast<int>(draws.below(1, 50));
  const LabelMap truth = discs(Draws(number, "truth"), width, height);
  const LabelMap predicted =
      number % 4 == 3 ? discs(Draws(number, "other"), width, height) : like(truth, Draws(number, "like"));
  PixelMaps maps{width, height, {"mask", "border"}, hills(Draws(number, "mask"), width, height)};
  const auto foreground = maps.values, border = hills(Draws(number, "border"), width, height);
  maps.values.insert(maps.values.end(), border.begin(), border.end());
  InstanceRules rules;
  rules.connectivity = number % 2 == 0 ? 4 : 8;
  rules.minimum_area = static_cast<int64_t>(draws.below(2, 12));
  rules.seed_threshold = draws.between(3, 0.05, 0.6);
  const double threshold = draws.between(4, 0.3, 0.7);
  files.append("truth.u16", narrow_labels(truth.labels)),
      files.append("predicted.u16", narrow_labels(predicted.labels));
  files.append("foreground.f32", foreground), files.append("border.f32", border);
  rules.fill_holes = number % 3 == 0;
  for (const char* decoder : {"components", "watershed"}) {
    rules.decoder = decoder;
    files.append(decoder + std::string(".u16"),
                 narrow_labels(label_map_of(find_objects(maps, threshold, rules)).labels));
  }
  const auto mask = foreground_of(truth);
  const SampleScores scores{
      {}, count_pixels(foreground, mask, threshold), score_objects(truth, predicted), calibration_of(foreground, mask)};
  return {{"width", width},
          {"height", height},
          {"threshold", threshold},
          {"seed_threshold", rules.seed_threshold},
          {"connectivity", rules.connectivity},
          {"minimum_area", rules.minimum_area},
          {"fill_holes", rules.fill_holes},
          {"pixels", figures_of(scores.native)},
          {"calibration_error", scores.calibration.error()},
          {"scores", to_json(scores).at("native")}};
}

}  // namespace
}  // namespace penstock::stages

int main(int count, char** given) {
  if (count != 3) {
    std::fprintf(stderr, "usage: reference_maps OUT COUNT\n");
    return 64;
  }
  using namespace penstock::stages;
  Files files(given[1]);
  penstock::pipeline::Value cases = penstock::pipeline::Value::array();
  for (int64_t number = 0; number < std::stoll(given[2]); ++number) cases.push_back(one_case(number, files));
  std::ofstream(std::string(given[1]) + "/cases.json") << cases.dump();
}
