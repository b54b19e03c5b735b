// What a pixel's outputs should be.
#include "stages/training/targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

// What is said of each pixel's value, line by line. A map of digits: the object of each pixel, 0 being background.
template <typename Say>
std::string said_of(const std::vector<std::string>& map, const Target& target, const Say& say) {
  const int height = static_cast<int>(map.size()), width = static_cast<int>(map[0].size());
  const auto object_at = [&](int y, int x) {
    return static_cast<uint16_t>(map[static_cast<size_t>(y)][static_cast<size_t>(x)] - '0');
  };
  std::string text;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) text += say(target_value(target, y, x, height, width, object_at));
    text += y + 1 < height ? "\n" : "";
  }
  return text;
}

// '#' where this target is.
std::string target_of(const std::vector<std::string>& map, const Target& target) {
  return said_of(map, target, [](float value) { return value > 0 ? '#' : '.'; });
}
std::string borders_of(const std::vector<std::string>& map, int radius = 1) {
  return target_of(map, {TargetKind::border, radius});
}
std::string interiors_of(const std::vector<std::string>& map, int radius = 1) {
  return target_of(map, {TargetKind::interior, radius});
}

TEST(Targets, ABorderIsWhereTwoObjectsMeetWithinOnePixel) {
  EXPECT_EQ(borders_of({"1122", "1122", "1122"}), ".##.\n.##.\n.##.");
  EXPECT_EQ(borders_of({"11022"}), "..#..") << "one pixel between them is of neither";
  EXPECT_EQ(borders_of({"110022"}), "......");
  EXPECT_EQ(borders_of({"11000", "11000", "00220"}), ".....\n.##..\n.##..") << "corners meet too";
  EXPECT_EQ(borders_of({"111", "111"}), "...\n...") << "the piece's edge is no border";
}

TEST(Targets, AWiderBorderReachesFurther) {
  EXPECT_EQ(borders_of({"11112222"}, 2), "..####..");
  EXPECT_EQ(borders_of({"11100222"}, 2), "...##...") << "of a gap of two pixels, both";
  EXPECT_EQ(borders_of({"11000022"}, 2), "........") << "a gap of four pixels has no middle within two of each";
}

TEST(Targets, AnInteriorIsWhatIsLeftOfAnObjectWithoutItsEdge) {
  EXPECT_EQ(interiors_of({"00000", "01110", "01110", "01110", "00000"}), ".....\n.....\n..#..\n.....\n.....");
  EXPECT_EQ(interiors_of({"111222", "111222"}), "##..##\n##..##") << "touching objects lose their edges to each other";
  EXPECT_EQ(interiors_of({"111", "111"}), "###\n###") << "the piece's edge is none of the object's";
  EXPECT_EQ(interiors_of({"1110", "1111"}), "##..\n##..") << "corners count";
}

TEST(Targets, AWiderEdgeLeavesLessInside) {
  EXPECT_EQ(interiors_of({"0111110"}, 2), "...#...");
  EXPECT_EQ(interiors_of({"011110"}, 2), "......");
}

// Digits: the distance in pixels.
std::string distances_of(const std::vector<std::string>& map, int limit) {
  return said_of(map, {TargetKind::distance, limit}, [limit](float share) {
    return static_cast<char>('0' + std::lround(share * static_cast<float>(limit)));
  });
}

TEST(Targets, ADistanceIsThatToTheNearestPixelOfAnotherOrOfNoObject) {
  EXPECT_EQ(distances_of({"0000000", "0111110", "0111110", "0111110", "0000000"}, 8),
            "0000000\n0111110\n0122210\n0111110\n0000000");
  EXPECT_EQ(distances_of({"01112220", "01112220", "01112220"}, 8), "01211210\n01211210\n01211210")
      << "touching objects have a valley between them; the piece's edge is none";
  EXPECT_EQ(distances_of({"0111111110"}, 3), "0123333210") << "at most the limit";
  EXPECT_EQ(distances_of({"11111", "11111", "11110"}, 8), "43222\n43211\n43210") << "corners are one step away";
}

// Hundredths, a space after each.
// exp(-(d1 + d2)^2 / (2 sigma^2)) of the distances to the nearest two objects, each searched for in the whole map.
float nearness_by_formula(const std::vector<std::string>& map, int sigma, int y, int x) {
  std::map<char, double> distances;
  for (int i = 0; i < static_cast<int>(map.size()); ++i) {
    for (int j = 0; j < static_cast<int>(map[0].size()); ++j) {
      const char object = map[static_cast<size_t>(i)][static_cast<size_t>(j)];
      if (object == '0') continue;
      const double distance = std::hypot(i - y, j - x);
      const auto [known, is_new] = distances.try_emplace(object, distance);
      known->second = std::min(known->second, distance);
    }
  }
  std::vector<double> nearest;
  for (const auto& [object, distance] : distances) nearest.push_back(distance);
  if (nearest.size() < 2) return 0;
  std::sort(nearest.begin(), nearest.end());
  const double far = nearest[0] + nearest[1];
  return static_cast<float>(far > 3 * sigma ? 0 : std::exp(-far * far / (2 * sigma * sigma)));
}

TEST(Targets, NearnessIsTheBorderTermOfTheUNetPapersWeights) {
  const Draws draws(5, "nearness");
  uint64_t draw = 0;
  int near = 0;
  for (int round = 0; round < 40; ++round) {
    const int sigma = 1 + round % 5;
    std::vector<std::string> map(25, std::string(31, '0'));
    for (int i = 0; i < 2 + round % 9; ++i) {  // boxes, some of the same object, over one another
      const auto top = draws.below(draw++, 25), left = draws.below(draw++, 31), side = 1 + draws.below(draw++, 6);
      const char object = static_cast<char>('1' + draws.below(draw++, 9));
      for (uint64_t y = top; y < std::min<uint64_t>(25, top + side); ++y) {
        for (uint64_t x = left; x < std::min<uint64_t>(31, left + side); ++x) map[y][x] = object;
      }
    }
    const auto object_at = [&](int y, int x) { return map[static_cast<size_t>(y)][static_cast<size_t>(x)] - '0'; };
    for (int y = 0; y < 25; ++y) {
      for (int x = 0; x < 31; ++x) {
        const float expected = nearness_by_formula(map, sigma, y, x);
        ASSERT_NEAR(target_value({TargetKind::nearness, sigma}, y, x, 25, 31, object_at), expected, 2e-5 * expected)
            << "round " << round << ", pixel " << y << ", " << x;
        near += expected > 0;
      }
    }
  }
  EXPECT_GT(near, 2000) << "maps in which objects are near each other";
}

TEST(Targets, NearnessCountsAsOneMoreThanTheNetworksChannels) {
  std::vector<std::string> names = {"mask", "border", "interior", "distance", "horizontal", "vertical"};
  const TargetList list = with_nearness(target_list(names), 5);
  EXPECT_EQ(list.count, 7);
  EXPECT_EQ(list.targets[6].kind, TargetKind::nearness);
  EXPECT_EQ(list.targets[6].radius, 5);
}

std::string places_of(const std::vector<std::string>& map, TargetKind kind) {
  return said_of(map, {kind, 0}, [](float place) { return std::to_string(std::lround(place * 100)) + " "; });
}

TEST(Targets, APlaceIsThatInTheRunOfTheObjectsPixels) {
  EXPECT_EQ(places_of({"01111020"}, TargetKind::horizontal), "50 13 38 63 88 50 50 50 ");
  EXPECT_EQ(places_of({"1112222"}, TargetKind::horizontal), "17 50 83 13 38 63 88 ") << "it jumps where objects touch";
  EXPECT_EQ(places_of({"110111"}, TargetKind::horizontal), "25 75 50 17 50 83 ") << "a run ends at a gap";
  EXPECT_EQ(places_of({"10", "10", "02", "02"}, TargetKind::vertical), "25 50 \n75 50 \n50 25 \n50 75 ");
}

TEST(Targets, ADirectionHasBothOfItsParts) {
  EXPECT_EQ(fault_of_targets({"mask", "horizontal", "vertical"}), "");
  EXPECT_NE(fault_of_targets({"mask", "horizontal"}), "");
  EXPECT_NE(fault_of_targets({"mask", "vertical"}), "");
}

TEST(Targets, AreNoMoreThanAStepHasRoomFor) {
  std::vector<std::string> names = {"mask"};
  for (int i = 1; i <= most_targets; ++i) names.push_back("own " + std::to_string(i));
  EXPECT_NE(fault_of_targets(names).find(std::to_string(most_targets)), std::string::npos);
}

TEST(Targets, BeginWithTheMaskAndStandOnce) {
  EXPECT_EQ(fault_of_targets({"mask", "border"}), "");
  EXPECT_NE(fault_of_targets({"border"}), "");
  EXPECT_NE(fault_of_targets({"mask", "mask"}), "");
  EXPECT_NE(fault_of_targets({}), "");
  EXPECT_EQ(channel_of({"mask", "border"}, TargetKind::border), 1);
  EXPECT_EQ(channel_of({"mask"}, TargetKind::border), -1);
}

}  // namespace
}  // namespace penstock::stages
