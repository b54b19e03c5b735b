// Objects found row by row: those of the whole picture, to the bit, while little of it is held.
#include "stages/compute/scores/object_finder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "distributed/error.h"
#include "stages/compute/scores/components_of.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/draws.h"
#include "stages/training/decoders.h"

namespace penstock::stages {
namespace {

std::vector<std::string> all_targets() { return {"mask", "border", "interior", "distance", "horizontal", "vertical"}; }

struct Drawn {
  int width, height, discs, largest;  // radius of the largest disc, pixels
};

// Round objects that touch, overlap, are cut by the edges and cross the rows at which pieces are decoded; among them a
// bar across the picture, and specks of noise. Foreground, border, interior, distance and directions.
PixelMaps drawn_maps(const Drawn& drawn, int64_t seed) {
  const Draws draws(seed, "object finder test");
  PixelMaps maps{drawn.width, drawn.height, all_targets(), {}};
  const size_t pixels = maps.pixels();
  maps.values.resize(2 * pixels);
  for (size_t i = 0; i < 2 * pixels; ++i) maps.values[i] = 0.36f * static_cast<float>(draws.uniform(i));
  const auto raise = [&](int x, int y, float by) {
    float& value = maps.values[static_cast<size_t>(y) * drawn.width + x];
    value = std::min(1.0f, value + by);
  };
  for (int i = 0; i < drawn.discs; ++i) {
    const auto at = [&](int what, int end) {
      return static_cast<int>(draws.below(2 * pixels + static_cast<size_t>(i * 3 + what), static_cast<uint64_t>(end)));
    };
    const int x0 = at(0, drawn.width), y0 = at(1, drawn.height), radius = 2 + at(2, drawn.largest - 1);
    for (int y = std::max(0, y0 - radius); y < std::min(drawn.height, y0 + radius + 1); ++y) {
      for (int x = std::max(0, x0 - radius); x < std::min(drawn.width, x0 + radius + 1); ++x) {
        if ((x - x0) * (x - x0) + (y - y0) * (y - y0) <= radius * radius) raise(x, y, 0.5f);
      }
    }
  }
  for (int i = 0; i < std::min(drawn.width, drawn.height); ++i)
    raise(i * drawn.width / std::min(drawn.width, drawn.height), i, 0.5f);
  for (size_t i = 0; i < pixels; ++i) maps.values.push_back(std::max(0.0f, maps.values[i] - maps.values[pixels + i]));
  for (size_t i = 0; i < pixels; ++i) maps.values.push_back(maps.values[2 * pixels + i] * maps.values[i]);
  for (size_t i = 0; i < 2 * pixels; ++i) maps.values.push_back(static_cast<float>(draws.uniform(i ^ 1)));
  return maps;
}

const std::vector<Drawn>& drawn_sizes() {
  static const std::vector<Drawn> all = {{61, 47, 12, 9},     {700, 1100, 900, 18}, {1500, 90, 150, 30},
                                         {90, 1500, 150, 30}, {1, 700, 40, 5},      {650, 1, 40, 5},
                                         {700, 900, 40, 140}, {513, 512, 300, 25}};
  return all;
}

std::vector<uint32_t> numbers_in(const FoundObjects& found) {
  std::vector<uint32_t> numbers;
  each_label_row(found,
                 [&](int, std::span<const uint32_t> row) { numbers.insert(numbers.end(), row.begin(), row.end()); });
  return numbers;
}

TEST(ObjectFinder, FindsTheObjectsOfTheWholePictureWithEachDecoder) {
  size_t objects = 0;
  for (const Drawn& drawn : drawn_sizes()) {
    const PixelMaps maps = drawn_maps(drawn, drawn.discs);
    for (const DecoderRule& rule : decoder_rules()) {
      for (const int connectivity : {4, 8}) {
        for (const double threshold : {0.35, 0.5, 0.7}) {
          const InstanceRules rules{connectivity, threshold == 0.5 ? 5 : 0, rule.name, 0.6};
          const FoundObjects found = find_objects(maps, threshold, rules);
          ASSERT_TRUE(numbers_in(found) == numbers_of(maps, threshold, rules))
              << rule.name << ", " << connectivity << " neighbours, " << threshold << ", " << drawn.width << " x "
              << drawn.height;
          objects += found.objects.size();
        }
      }
    }
  }
  EXPECT_GT(objects, 10'000u);
}

TEST(ObjectFinder, MeasuresObjectsAsTheirPixelsDo) {
  const PixelMaps maps = drawn_maps({700, 1100, 900, 18}, 3);
  const FoundObjects found = find_objects(maps, 0.5, {4, 5, "distance"});
  const LabelMap whole = label_map_of(found);
  std::vector<FoundObject> expected(found.objects.size());
  for (size_t i = 0; i < whole.labels.size(); ++i) {
    if (whole.labels[i] == 0) continue;
    FoundObject& object = expected[whole.labels[i] - 1];
    ++object.area;
    object.x += static_cast<int64_t>(i % 700), object.y += static_cast<int64_t>(i / 700);
    object.probability += maps.foreground()[i];
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found.objects[i].area, expected[i].area);
    EXPECT_EQ(found.objects[i].x, expected[i].x);
    EXPECT_EQ(found.objects[i].y, expected[i].y);
    EXPECT_EQ(found.objects[i].probability, expected[i].probability) << "summed in the order of the pixels";
  }
}

TEST(ObjectFinder, ScoresAndCountsAreThoseOfTheLabelMaps) {
  const PixelMaps maps = drawn_maps({300, 700, 200, 18}, 4), other = drawn_maps({300, 700, 200, 18}, 5);
  const LabelMap truth = objects_of(other, 0.5, {4, 20});
  std::vector<uint8_t> mask(truth.labels.size());
  std::transform(truth.labels.begin(), truth.labels.end(), mask.begin(), [](Label label) { return label != 0; });
  for (const LabelMap& scored : {truth, objects_of(maps, 0.5, {4, 20})}) {
    const FoundObjects found = find_objects(maps, 0.5, {4, 20});
    EXPECT_EQ(to_json({{}, {}, score_objects(scored, found)}),
              to_json({{}, {}, score_objects(scored, label_map_of(found))}));
  }
  const PixelCounts counts = native_counts(find_objects(maps, 0.5, {4, 20}), truth);
  EXPECT_EQ(to_json({{}, counts, {}}), to_json({{}, count_pixels(maps.foreground(), mask, 0.5), {}}))
      << "foreground of objects that are too small counts too";
}

// Squares of 6 x 6 pixels, 12 apart, over 6,000 rows.
TEST(ObjectFinder, HoldsABandOfThePictureWhateverItsHeight) {
  constexpr int width = 240, height = 6000;
  for (const DecoderRule& rule : decoder_rules()) {
    ObjectFinder finder(width, height, all_targets(), 0.5, {4, 0, rule.name});
    size_t most = 0;
    std::vector<float> row(all_targets().size() * width);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x)
        row[static_cast<size_t>(x)] = row[static_cast<size_t>(2 * width + x)] =
            row[static_cast<size_t>(3 * width + x)] = x % 12 < 6 && y % 12 < 6 ? 0.9f : 0.0f;
      finder.add_row(row);
      most = std::max(most, finder.held_pixels());
    }
    EXPECT_LT(most, size_t{width} * 600 / 4) << rule.name;
    EXPECT_EQ(finder.finish().objects.size(), size_t{20} * 500);
    EXPECT_EQ(finder.held_pixels(), 0u);
  }
}

TEST(ObjectFinder, NumbersMoreObjectsThan16BitsHold) {
  constexpr int side = 600;
  PixelMaps maps{side, side, {"mask"}, std::vector<float>(side * side)};
  for (int y = 0; y < side; y += 2)
    for (int x = 0; x < side; x += 2) maps.values[static_cast<size_t>(y * side + x)] = 1;
  const FoundObjects found = find_objects(maps, 0.5, {});
  ASSERT_EQ(found.objects.size(), 90'000u);
  uint32_t last = 0;
  each_label_row(found, [&](int, std::span<const uint32_t> labels) {
    for (const uint32_t label : labels) EXPECT_TRUE(label == 0 || label == ++last);
  });
  EXPECT_EQ(last, 90'000u);
  EXPECT_EQ(label_map_of(found).objects(), 90000);
}

TEST(ObjectFinder, GetsAsManyRowsAsThePictureHas) {
  ObjectFinder finder(3, 1, {"mask"}, 0.5, {});
  EXPECT_THROW(finder.finish(), Error);
  EXPECT_THROW(finder.add_row(std::vector<float>(2)), Error);
  finder.add_row(std::vector<float>(3));
  EXPECT_THROW(finder.add_row(std::vector<float>(3)), Error);
  EXPECT_TRUE(finder.finish().objects.empty());
  EXPECT_THROW(ObjectFinder(3, 1, {"mask"}, 0.5, {4, 0, "watershed"}), Error) << "it needs the border";
}

}  // namespace
}  // namespace penstock::stages
