// Objects from maps. Connected components are compared with a flood fill in the order of the pixels.
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/compute/scores/components_of.h"
#include "stages/compute/scores/decoding_choice.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/draws.h"
#include "stages/training/decoders.h"
#include "stages/training/name_table.h"
#include "stages/training/targets.h"

namespace penstock::stages {
namespace {

constexpr int width = 61, height = 47;

std::vector<float> drawn(int64_t seed, double share) {
  const Draws draws(seed, "component test");
  std::vector<float> probability(width * height);
  for (size_t i = 0; i < probability.size(); ++i) probability[i] = draws.uniform(i) < share ? 0.9f : 0.1f;
  return probability;
}

void fill(const std::vector<float>& probability, int connectivity, int x, int y, Label number, LabelMap& map) {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const size_t i = static_cast<size_t>(y) * width + x;
  if (!(probability[i] > 0.5f) || map.labels[i] != 0) return;
  map.labels[i] = number;
  for (int dy = -1; dy <= 1; ++dy) {
    for (int dx = -1; dx <= 1; ++dx) {
      if (dx == 0 || dy == 0 || connectivity == 8) fill(probability, connectivity, x + dx, y + dy, number, map);
    }
  }
}

TEST(Components, AreNumberedInTheOrderOfTheirFirstPixels) {
  for (const int connectivity : {4, 8}) {
    for (const double share : {0.05, 0.3, 0.45, 0.6, 0.95}) {
      const auto probability = drawn(static_cast<int64_t>(share * 100), share);
      LabelMap expected{height, width, std::vector<Label>(probability.size())};
      Label number = 0;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const size_t i = static_cast<size_t>(y) * width + x;
          if (probability[i] > 0.5f && expected.labels[i] == 0)
            fill(probability, connectivity, x, y, ++number, expected);
        }
      }
      EXPECT_EQ(components(probability, width, height, 0.5, {connectivity, 0}).labels, expected.labels)
          << connectivity << " neighbours, " << share;
    }
  }
}

TEST(Components, SmallOnesLeaveNoGapInTheNumbers) {
  std::vector<float> probability(9, 0.0f);  // 3 x 3: one pixel, then two
  probability[0] = probability[5] = probability[8] = 1;
  EXPECT_EQ(components(probability, 3, 3, 0.5, {4, 2}).labels, (std::vector<Label>{0, 0, 0, 0, 0, 1, 0, 0, 1}));
}

TEST(Components, OfAnotherSizeFailACheck) {
  EXPECT_THROW(components(std::vector<float>(8), 3, 3, 0.5, {}), Error);
  EXPECT_THROW(components(std::vector<float>(9), 3, 3, 0.5, {6, 0}), Error);
}

TEST(Decoders, AreThoseOfTheTable) { EXPECT_EQ(names_of(decoders()), names_of(decoder_rules())); }

// True discs of random sizes and places, which may touch and do not overlap.
LabelMap random_objects(int64_t seed, int count) {
  const Draws draws(seed, "decoder test");
  LabelMap map{height, width, std::vector<Label>(width * height)};
  for (int i = 0; i < count; ++i) {
    const auto at = [&](int what, int end) {
      return static_cast<int>(draws.below(static_cast<uint64_t>(i * 3 + what), static_cast<uint64_t>(end)));
    };
    const int x0 = at(0, width), y0 = at(1, height), radius = 3 + at(2, 5);
    std::vector<size_t> disc;
    bool free = true;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if ((x - x0) * (x - x0) + (y - y0) * (y - y0) > radius * radius) continue;
        disc.push_back(static_cast<size_t>(y * width + x));
        free &= map.labels[disc.back()] == 0;
      }
    }
    for (const size_t pixel : disc) map.labels[pixel] = free ? static_cast<Label>(i + 1) : map.labels[pixel];
  }
  return map;
}

// What a network that makes no mistake would say.
PixelMaps perfect_maps(const LabelMap& truth) {
  PixelMaps maps{truth.width, truth.height, {"mask", "border", "interior", "distance", "horizontal", "vertical"}, {}};
  const auto object_at = [&](int y, int x) { return truth.labels[static_cast<size_t>(y * truth.width + x)]; };
  for (const TargetKind kind : {TargetKind::mask, TargetKind::border, TargetKind::interior, TargetKind::distance,
                                TargetKind::horizontal, TargetKind::vertical}) {
    const int radius = kind == TargetKind::distance ? 8 : 1;
    for (int y = 0; y < truth.height; ++y)
      for (int x = 0; x < truth.width; ++x)
        maps.values.push_back(target_value({kind, radius}, y, x, truth.height, truth.width, object_at));
  }
  return maps;
}

TEST(Decoders, WhatWasLearnedTellsTouchingObjectsApart) {
  double merged = 0, by_border = 0, by_interior = 0, by_hills = 0, by_hilltops = 0, by_directions = 0;
  constexpr int images = 50;
  for (int i = 0; i < images; ++i) {
    const LabelMap truth = random_objects(i, 60);
    const PixelMaps maps = perfect_maps(truth);
    merged += score_objects(truth, objects_of(maps, 0.5, {4, 0})).map / images;
    by_border += score_objects(truth, objects_of(maps, 0.5, {4, 0, "watershed", 0.5})).map / images;
    by_interior += score_objects(truth, objects_of(maps, 0.5, {4, 0, "interior", 0.5})).map / images;
    by_hills += score_objects(truth, objects_of(maps, 0.5, {4, 0, "hills", 0.3})).map / images;
    by_hilltops += score_objects(truth, objects_of(maps, 0.5, {4, 0, "hilltops", 0.2})).map / images;
    by_directions += score_objects(truth, objects_of(maps, 0.5, {4, 0, "directions", 0.4})).map / images;
  }
  EXPECT_LT(merged, 0.75);
  EXPECT_GT(by_border, 0.95);
  EXPECT_GT(by_interior, 0.95);
  EXPECT_GT(by_hills, 0.95);
  EXPECT_GT(by_hilltops, 0.95);
  EXPECT_GT(by_directions, 0.95);
}

// A network is less sure between two objects than inside of them, though it may exceed any one threshold there.
TEST(Decoders, HillsOfTheInteriorArePartedWhereOneThresholdWouldMergeThem) {
  PixelMaps maps{9, 1, {"mask", "interior"}, {}};
  maps.values = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0.6f, 0.9f, 0.95f, 0.9f, 0.65f, 0.9f, 0.97f, 0.9f, 0.6f};
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "interior", 0.5}).objects(), 1);
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "interior_hills", 0.3}).labels,
            (std::vector<Label>{1, 1, 1, 1, 1, 2, 2, 2, 2}));
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "interior_hills", 0.4}).objects(), 1) << "the pass is at 68 % of the lower";
}

TEST(Decoders, EveryPixelOfTheForegroundIsOfAnObjectAndNoOtherIs) {
  for (int i = 0; i < 20; ++i) {
    const PixelMaps maps = perfect_maps(random_objects(i, 12));
    for (const DecoderRule& rule : decoder_rules()) {
      const LabelMap objects = objects_of(maps, 0.5, {4, 0, rule.name, 0.5});
      for (size_t p = 0; p < maps.pixels(); ++p)
        ASSERT_EQ(objects.labels[p] != 0, maps.foreground()[p] > 0.5f) << rule.name << ", pixel " << p;
    }
  }
}

TEST(Decoders, TheDistanceCutsADumbbellAtItsNeck) {
  std::vector<float> foreground(width * height);
  const auto in_disc = [](int x, int y, int centre) { return (x - centre) * (x - centre) + (y - 20) * (y - 20) <= 81; };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      foreground[static_cast<size_t>(y * width + x)] = in_disc(x, y, 15) || in_disc(x, y, 31);
  }
  const LabelMap objects = components(foreground, width, height, 0.5, {4, 0, "distance"});
  EXPECT_EQ(components(foreground, width, height, 0.5, {4, 0}).objects(), 1);
  ASSERT_EQ(objects.objects(), 2);
  const auto at = [&](int x) { return objects.labels[static_cast<size_t>(20 * width + x)]; };
  EXPECT_EQ(at(10), at(21));
  EXPECT_NE(at(10), at(25));
  EXPECT_EQ(at(25), at(36));
}

// What by_distance makes of ellipses of these half axes, whose edges go in and out by up to a pixel.
int pieces_of_an_ellipse(double a, double b, int64_t seed) {
  constexpr int side = 120;
  std::vector<float> foreground(side * side);
  const Draws draws(seed, "rough");
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double u = (x - 60) / a, v = (y - 60) / b;
      const double rough = draws.between(static_cast<uint64_t>(y * side + x), -1, 1) / std::max(a, b);
      foreground[static_cast<size_t>(y * side + x)] = std::sqrt(u * u + v * v) + rough < 1;
    }
  }
  return components(foreground, side, side, 0.5, {4, 20, "distance"}).objects();
}

TEST(Decoders, TheDistanceLeavesRoughEllipsesOfAnySizeWhole) {
  for (const auto& [a, b] : {std::pair(5.0, 4.0), std::pair(12.0, 8.0), std::pair(30.0, 15.0), std::pair(50.0, 40.0)}) {
    for (int64_t seed = 0; seed < 10; ++seed) EXPECT_EQ(pieces_of_an_ellipse(a, b, seed), 1) << a << " x " << b;
  }
}

// Two touching discs, of which the border is known, and a dumbbell, of which it is not.
TEST(Decoders, BorderAndDistanceTogetherCutWhatEitherCuts) {
  PixelMaps maps{60, 40, {"mask", "border"}, std::vector<float>(2 * 60 * 40)};
  const auto disc = [&](int centre_x, int centre_y) {
    for (int y = 0; y < 40; ++y) {
      for (int x = 0; x < 60; ++x) {
        if ((x - centre_x) * (x - centre_x) + (y - centre_y) * (y - centre_y) <= 64)
          maps.values[static_cast<size_t>(y * 60 + x)] = 1;
      }
    }
  };
  disc(10, 10), disc(25, 10);  // as a dumbbell
  disc(12, 30), disc(18, 30);  // which distance alone takes for one
  for (int y = 20; y < 40; ++y) maps.values[static_cast<size_t>(60 * 40 + y * 60 + 15)] = 1;
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "components"}).objects(), 2);
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "distance"}).objects(), 3);
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "watershed", 0.5}).objects(), 3);
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "border_distance", 0.5}).objects(), 4);
}

TEST(Decoders, WhatNoSeedReachesIsAnObjectOfItsOwn) {
  const PixelMaps maps{5, 1, {"mask", "border"}, {0.9f, 0.9f, 0.1f, 0.6f, 0.6f, 0, 0, 0, 0, 0}};
  EXPECT_EQ(objects_of(maps, 0.5, {4, 0, "watershed", 0.8}).labels, (std::vector<Label>{1, 1, 0, 2, 2}));
}

TEST(Decoders, WithoutTheTargetThatTheyNeedFailACheck) {
  EXPECT_THROW(objects_of({2, 1, {"mask"}, {1, 1}}, 0.5, {4, 0, "watershed"}), Error);
  EXPECT_THROW(objects_of({2, 1, {"mask", "border"}, {1, 1, 0, 0}}, 0.5, {4, 0, "interior"}), Error);
}

TEST(DecodingChoice, OfTheDecoderTriesThoseThatTheTargetsAllow) {
  EvalParameters parameters;
  parameters.decoder = "validation";
  EXPECT_EQ(plan_decoding(parameters, {"mask"}, {}).candidates.decoders,
            (std::vector<std::string>{"components", "distance"}));
  const DecodingPlan plan = plan_decoding(parameters, {"mask", "border"}, {});
  EXPECT_EQ(plan.candidates.decoders,
            (std::vector<std::string>{"components", "distance", "watershed", "border_distance"}));
  EXPECT_EQ(plan_decoding(parameters, {"mask", "border", "interior", "distance", "horizontal", "vertical"}, {})
                .candidates.decoders,
            names_of(decoder_rules()));
  EXPECT_EQ(plan.given.rules.decoder, "watershed") << "without a validation subset";
  EXPECT_EQ(plan.combinations.size(), 5u + 5u + 5u * 9u + 5u * 9u);
}

TEST(DecodingChoice, TakesTheCombinationWithTheBestObjects) {
  const LabelMap truth = random_objects(3, 60);
  DecodingCandidates candidates = usual_candidates();
  candidates.decoders = {"watershed", "components"};
  const auto all = combinations(candidates, {4, 0, "watershed", 0.5});
  ASSERT_EQ(all.size(), (5u * 9u * 5u + 5u * 5u) * 2u) << "components have no seeds; with holes and without";
  const auto scores = object_scores(perfect_maps(truth), truth, all);
  for (size_t i = 0; i < all.size(); i += 17)
    EXPECT_EQ(scores[i], score_objects(truth, find_objects(perfect_maps(truth), all[i].threshold, all[i].rules)).map)
        << i;
  const Decoding& best = best_decoding(all, scores);
  EXPECT_EQ(best.rules.decoder, "watershed");
  EXPECT_EQ(best.threshold, 0.5) << "nearest to the middle among equals";
  EXPECT_EQ(best.rules.minimum_area, 0);
  EXPECT_FALSE(best.rules.fill_holes) << "it is no better here";
}

// A true disc of which the middle was missed.
TEST(DecodingChoice, FillsHolesWhereThatHasTheBetterObjects) {
  PixelMaps maps{20, 20, {"mask"}, std::vector<float>(400)};
  LabelMap truth{20, 20, std::vector<Label>(400)};
  for (size_t i = 0; i < 400; ++i) {
    const auto x = static_cast<int>(i % 20) - 10, y = static_cast<int>(i / 20) - 10;
    truth.labels[i] = x * x + y * y < 64;
    maps.values[i] = x * x + y * y < 64 && x * x + y * y > 20 ? 1.0f : 0.0f;
  }
  EvalParameters parameters;
  for (const auto& [holes, combinations, fills] :
       {std::tuple("keep", 0u, false), std::tuple("fill", 0u, true), std::tuple("validation", 10u, true)}) {
    parameters.holes = holes;
    const DecodingPlan plan = plan_decoding(parameters, {"mask"}, {});
    EXPECT_EQ(plan.by_objects(), combinations > 0) << holes;
    EXPECT_EQ(plan.given.rules.fill_holes, holes == std::string("fill")) << holes;
    if (!plan.by_objects()) continue;
    EXPECT_EQ(plan.combinations.size(), combinations);
    const auto scores = object_scores(maps, truth, plan.combinations);
    const Decoding& best = best_decoding(plan.combinations, scores);
    EXPECT_EQ(best.rules.fill_holes, fills);
    EXPECT_EQ(decoding_from(to_json(best), {}), best);
  }
}

}  // namespace
}  // namespace penstock::stages
