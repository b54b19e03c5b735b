#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "distributed/error.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

// A mask file with one rectangle of `value`.
std::string mask_png(int width, int height, int x0, int y0, int x1, int y1, uint8_t value = 255, int channels = 1) {
  Image image{width, height, channels, 8, {}};
  image.bytes.resize(image.values());
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x)
      image.bytes[(static_cast<size_t>(y) * width + x) * channels + (channels > 2 ? 1 : 0)] = value;
  }
  return encode_png(image);
}

MergedMasks merge(const std::vector<std::string>& files, int width = 20, int height = 10) {
  std::vector<MaskFile> masks;
  for (size_t i = 0; i < files.size(); ++i)
    masks.push_back({"s/masks/" + std::to_string(i) + ".png",
                     {reinterpret_cast<const uint8_t*>(files[i].data()), files[i].size()}});
  return merge_masks(masks, width, height);
}

TEST(Masks, BecomeLabelsInTheOrderOfTheirFiles) {
  const auto merged = merge({mask_png(20, 10, 0, 0, 4, 4), mask_png(20, 10, 10, 2, 15, 6)});
  EXPECT_EQ(merged.objects, 2);
  EXPECT_EQ(merged.map.labels[0], 1);
  EXPECT_EQ(merged.map.labels[2 * 20 + 10], 2);
  EXPECT_EQ(merged.map.labels[9 * 20 + 19], 0);
}

TEST(Masks, APixelClaimedTwiceStaysWithTheFirstAndIsCounted) {
  const auto merged = merge({mask_png(20, 10, 0, 0, 4, 4), mask_png(20, 10, 2, 2, 6, 6)});
  EXPECT_EQ(merged.overlaps, 4);
  EXPECT_EQ(merge({mask_png(20, 10, 0, 0, 4, 4), mask_png(20, 10, 0, 0, 4, 4), mask_png(20, 10, 0, 0, 4, 4)}).overlaps,
            16)
      << "pixels, not claims";
  EXPECT_EQ(merged.map.labels[2 * 20 + 2], 1);
}

TEST(Masks, OneThatOthersCoverIsNoObject) {
  const auto merged = merge({mask_png(20, 10, 0, 0, 4, 4), mask_png(20, 10, 1, 1, 3, 3), mask_png(20, 10, 5, 5, 6, 6)});
  EXPECT_EQ(merged.objects, 2);
  EXPECT_EQ(merged.covered_masks, 1);
  EXPECT_EQ(merged.map.objects(), 2) << "numbers without a gap, as the scores count them";
}

TEST(Masks, AnEmptyOneTakesNoNumber) {
  const auto merged = merge({mask_png(20, 10, 0, 0, 0, 0), mask_png(20, 10, 0, 0, 1, 1)});
  EXPECT_EQ(merged.empty_masks, 1);
  EXPECT_EQ(merged.objects, 1);
}

TEST(Masks, MayBeColouredAndCountFromHalfRangeOn) {
  EXPECT_EQ(merge({mask_png(20, 10, 0, 0, 2, 2, 255, 4)}).objects, 1) << "green, RGBA";
  EXPECT_EQ(merge({mask_png(20, 10, 0, 0, 2, 2, 128)}).objects, 1);
  EXPECT_EQ(merge({mask_png(20, 10, 0, 0, 2, 2, 127)}).objects, 0);
  EXPECT_EQ(merge({mask_png(20, 10, 0, 0, 2, 2, 1)}).objects, 1) << "a file of 0 and 1";
}

TEST(Masks, OfAnotherSizeNameTheFileAndBothSizes) {
  try {
    merge({mask_png(21, 10, 0, 0, 1, 1)});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("s/masks/0.png"), testing::HasSubstr("21 x 10"),
                                             testing::HasSubstr("20 x 10")));
  }
}

TEST(Resize, AveragesAreasWhenItShrinks) {
  const Image checker{4, 2, 1, 8, {0, 200, 0, 200, 200, 0, 200, 0}};
  EXPECT_EQ(to_grid(checker, 2, 1).bytes, (std::vector<uint8_t>{100, 100}));
}

TEST(Resize, EachOfManyChannelsIsResizedAsIfItWereAlone) {
  for (const int channels : {2, 5, 8}) {
    for (const auto& [width, height] : {std::pair{7, 5}, std::pair{31, 40}}) {
      Image all = sample_picture(19, 23, channels, {});
      for (size_t i = 0; i < all.values(); ++i) all.bytes.push_back(static_cast<uint8_t>(i * i * 7 >> 3));
      const Image together = to_grid(all, width, height);
      for (int c = 0; c < channels; ++c) {
        Image one{19, 23, 1, 8, {}};
        for (size_t i = 0; i < one.values(); ++i) one.bytes.push_back(all.bytes[i * channels + c]);
        const Image alone = to_grid(one, width, height);
        for (size_t i = 0; i < alone.bytes.size(); ++i) ASSERT_EQ(together.bytes[i * channels + c], alone.bytes[i]);
      }
    }
  }
}

TEST(Resize, AGridPixelIsForegroundFromTheStatedCoverageOn) {
  LabelMap map{2, 4, {1, 1, 1, 0, 1, 0, 0, 0}};  // coverage 3/4 and 1/4
  EXPECT_EQ(mask_on_grid(map, 2, 1, 0.5), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(mask_on_grid(map, 2, 1, 0.25), (std::vector<uint8_t>{1, 1}));
  EXPECT_EQ(mask_on_grid(map, 2, 1, 0.8), (std::vector<uint8_t>{0, 0}));
}

TEST(LabelCodec, GivesBackMoreObjectsThan16BitsTellApart) {
  LabelMap map{300, 300, std::vector<Label>(90000)};
  std::iota(map.labels.begin(), map.labels.end(), Label{1});
  EXPECT_EQ(decode_labels(encode_labels(map), 300, 300, "x").labels, map.labels);
}

TEST(LabelCodec, GivesBackLabelsAndRefusesDamage) {
  LabelMap map{3, 5, std::vector<Label>(15)};
  std::iota(map.labels.begin(), map.labels.end(), Label{60000});
  auto packed = encode_labels(map);
  EXPECT_EQ(decode_labels(packed, 3, 5, "x").labels, map.labels);
  EXPECT_THROW(decode_labels(packed, 3, 6, "x"), Error);
  packed.pop_back();
  EXPECT_THROW(decode_labels(packed, 3, 5, "x"), Error);
}

}  // namespace
}  // namespace penstock::stages
