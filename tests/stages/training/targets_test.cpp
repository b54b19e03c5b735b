// What a pixel's outputs should be.
#include "stages/training/targets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

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
