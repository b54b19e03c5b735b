// Background inside of an object becomes its own: drawn pictures, and a search from pixel to pixel on drawn noise.
#include "stages/compute/scores/hole_filling.h"

#include <gtest/gtest.h>

#include "stages/compute/scores/object_finder.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

// A digit is an object's pixel, a dot background.
using Picture = std::vector<std::string>;

FoundObjects objects_in(const Picture& picture) {
  FoundObjects found;
  found.width = static_cast<int>(picture.front().size()), found.height = static_cast<int>(picture.size());
  for (char name = '1'; name <= '9'; ++name) {
    FoundObject object;
    object.first_run = found.runs.size();
    for (int y = 0; y < found.height; ++y) {
      for (int x = 0; x < found.width; ++x) {
        if (picture[static_cast<size_t>(y)][static_cast<size_t>(x)] != name) continue;
        const bool goes_on = found.runs.size() > object.first_run && found.runs.back().y == y &&
                             found.runs.back().begin + found.runs.back().length == x;
        if (goes_on)
          ++found.runs.back().length;
        else
          found.runs.push_back({static_cast<uint16_t>(y), static_cast<uint16_t>(x), 1});
        ++object.area, object.x += x, object.y += y;
      }
    }
    object.runs = found.runs.size() - object.first_run;
    if (object.runs > 0) found.objects.push_back(object);
  }
  return found;
}

Picture drawn(const FoundObjects& found) {
  Picture picture;
  each_label_row(found, [&](int, std::span<const uint32_t> labels) {
    picture.emplace_back();
    for (const uint32_t label : labels) picture.back() += label == 0 ? '.' : static_cast<char>('0' + label);
  });
  return picture;
}

Picture filled(const Picture& picture) {
  FoundObjects found = objects_in(picture);
  fill_holes(found);
  return drawn(found);
}

TEST(HoleFilling, FillsWhatAnObjectEnclosesAndNothingElse) {
  EXPECT_EQ(filled({"111.2222", "1.1.2..2", "111.22.2"}), (Picture{"111.2222", "111.2..2", "111.22.2"}))
      << "2 is open below";
  EXPECT_EQ(filled({"1111111", "1.1...1", "1111111"}), (Picture{"1111111", "1111111", "1111111"})) << "two holes";
  EXPECT_EQ(filled({"1111", "1..1", "11.1"}), (Picture{"1111", "1..1", "11.1"})) << "the edge of the picture is open";
}

TEST(HoleFilling, GoesAlongThePixelsSides) {
  EXPECT_EQ(filled({".1.", "1.1", ".1."}), (Picture{".1.", "111", ".1."})) << "no way out through a corner";
}

TEST(HoleFilling, LeavesHolesInWhichAnotherObjectLies) {
  EXPECT_EQ(filled({"11111111", "1..11..1", "1.211..1", "11111111"}),
            (Picture{"11111111", "1..11111", "1.211111", "11111111"}));
  EXPECT_EQ(filled({"1111111", "1.222.1", "1.2.2.1", "1.222.1", "1111111"}),
            (Picture{"1111111", "1.222.1", "1.222.1", "1.222.1", "1111111"}));
}

TEST(HoleFilling, AreasAndCentresFollowAndSayHowMuchWasFilled) {
  FoundObjects found = objects_in({".111", ".1.1", ".111", "2..."});
  fill_holes(found);
  ASSERT_EQ(found.objects.size(), 2u);
  EXPECT_EQ(found.objects[0].area, 9);
  EXPECT_EQ(found.objects[0].filled, 1);
  EXPECT_EQ(found.objects[0].x, 3 * (1 + 2 + 3));
  EXPECT_EQ(found.objects[0].y, 3 * (0 + 1 + 2));
  EXPECT_EQ(found.objects[1].area, 1);
  EXPECT_EQ(found.objects[1].filled, 0);
}

// Which pixels lead to the picture's edge, without one of object `name`.
std::vector<bool> reached_around(const Picture& picture, char name) {
  const int height = static_cast<int>(picture.size()), width = static_cast<int>(picture.front().size());
  std::vector<bool> reached(static_cast<size_t>(height * width));
  std::vector<std::pair<int, int>> waiting;
  const auto reach = [&](int y, int x) {
    if (y < 0 || x < 0 || y >= height || x >= width || reached[static_cast<size_t>(y * width + x)]) return;
    if (picture[static_cast<size_t>(y)][static_cast<size_t>(x)] == name) return;
    reached[static_cast<size_t>(y * width + x)] = true;
    waiting.emplace_back(y, x);
  };
  for (int y = 0; y < height; ++y) reach(y, 0), reach(y, width - 1);
  for (int x = 0; x < width; ++x) reach(0, x), reach(height - 1, x);
  while (!waiting.empty()) {
    const auto [y, x] = waiting.back();
    waiting.pop_back();
    reach(y - 1, x), reach(y + 1, x), reach(y, x - 1), reach(y, x + 1);
  }
  return reached;
}

TEST(HoleFilling, FillsInNoiseExactlyWhatHasNoWayOut) {
  int64_t pixels = 0;
  for (int64_t seed = 0; seed < 200; ++seed) {
    const Draws draws(seed, "holes");
    const int width = 3 + static_cast<int>(draws.below(0, 30)), height = 3 + static_cast<int>(draws.below(1, 30));
    Picture picture(static_cast<size_t>(height));
    for (size_t y = 0; y < picture.size(); ++y) {
      for (int x = 0; x < width; ++x)
        picture[y] += draws.uniform(100 + y * 64 + static_cast<size_t>(x)) < 0.65 ? '1' : '.';
    }
    const auto outside = reached_around(picture, '1');
    Picture expected = picture;
    for (size_t i = 0; i < outside.size(); ++i) {
      char& pixel = expected[i / static_cast<size_t>(width)][i % static_cast<size_t>(width)];
      if (pixel == '.' && !outside[i]) pixel = '1', ++pixels;
    }
    EXPECT_EQ(filled(picture), expected) << seed;
  }
  EXPECT_GT(pixels, 2000);
}

// A ring of 12 pixels around 4: with its hole it is large enough.
TEST(HoleFilling, ComesBeforeTheSmallestArea) {
  const Picture picture = {"1111.", "1..1.", "1..1.", "1111.", "....."};
  PixelMaps maps{5, 5, {"mask"}, {}};
  for (const std::string& row : picture) {
    for (const char pixel : row) maps.values.push_back(pixel == '.' ? 0.0f : 1.0f);
  }
  InstanceRules rules{4, 16};
  EXPECT_EQ(find_objects(maps, 0.5, rules).objects.size(), 0u);
  rules.fill_holes = true;
  const FoundObjects found = find_objects(maps, 0.5, rules);
  EXPECT_EQ(drawn(found), (Picture{"1111.", "1111.", "1111.", "1111.", "....."}));
}

}  // namespace
}  // namespace penstock::stages
