// What init finds in somebody's folder.
#include "stages/survey.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "pipeline/files.h"
#include "stages/images/png_codec.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

constexpr int side = 48;

// Four squares of 8 x 8 on a ground, left to right.
std::vector<uint16_t> four_squares(const std::array<uint16_t, 4>& values, uint16_t ground) {
  std::vector<uint16_t> all(size_t{side} * side, ground);
  for (size_t square = 0; square < values.size(); ++square) {
    for (size_t y = 8; y < 16; ++y) std::fill_n(&all[y * side + 2 + square * 11], 8, values[square]);
  }
  return all;
}

std::string png(const std::vector<uint16_t>& values) {
  Image image{side, side, 1, 16, std::vector<uint8_t>(values.size() * 2)};
  std::memcpy(image.bytes.data(), values.data(), image.bytes.size());
  return encode_png(image);
}

TEST(Survey, CountsObjectsThatEightBitsMakeDim) {
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "images/a.png", png(four_squares({60000, 1600, 1600, 1600}, 1000)));
  pipeline::write_file(folder.path() / "masks/a.png", png(four_squares({1, 2, 3, 4}, 0)));
  const pipeline::Value found = survey({folder.path(), {}});
  EXPECT_EQ(found.at("masks").at("meaning"), "labels");
  EXPECT_EQ(found.at("objects"), 4);
  EXPECT_EQ(found.at("dim"), 0.75) << "600 of 65,535 are 2 of 256 levels";
  EXPECT_EQ(found.at("dim_by_root"), 0) << "by the root they are 25";
}

TEST(Survey, DoesNotCallPicturesOfEightBitsDim) {
  const TemporaryFolder folder;
  const Image picture{side, side, 1, 8, std::vector<uint8_t>(size_t{side} * side, 40)};
  pipeline::write_file(folder.path() / "images/a.png", encode_png(picture));
  pipeline::write_file(folder.path() / "masks/a.png", png(four_squares({1, 2, 3, 4}, 0)));
  EXPECT_EQ(survey({folder.path(), {}}).at("dim"), 0) << "there is nothing that another contrast could bring out";
}

}  // namespace
}  // namespace penstock::stages
