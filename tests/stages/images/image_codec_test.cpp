#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/draws.h"
#include "stages/images/archives.h"
#include "stages/images/image_codec.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

Image noise(int width, int height, int channels, int bits, int64_t seed) {
  Image image{width, height, channels, bits, {}};
  image.bytes.resize(image.values() * (bits / 8));
  const Draws draws(seed, "test image");
  // Half noise, half gradient, so that encoders choose every filter.
  for (size_t i = 0; i < image.bytes.size(); ++i)
    image.bytes[i] = static_cast<uint8_t>(i / 40 % 2 ? draws.bits(i) : i / channels);
  return image;
}

std::span<const uint8_t> span_of(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

TEST(ImageCodec, PngGivesBackWhatItWasGiven) {
  for (const int channels : {1, 2, 3, 4}) {
    for (const int bits : {8, 16}) {
      const Image image = noise(37, 21, channels, bits, channels);
      const Image back = decode_image(span_of(encode_png(image)), "test");
      EXPECT_EQ(back.bytes, image.bytes) << channels << " channels, " << bits << " bits";
      EXPECT_EQ(back.channels, channels);
      EXPECT_EQ(back.bits, bits);
    }
  }
}

TEST(ImageCodec, TheShortWayAndLibpngGiveTheSamePixels) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    const int channels = static_cast<int>(seed % 4) + 1;
    const std::string png =
        encode_png(noise(static_cast<int>(20 + seed * 7), static_cast<int>(60 - seed), channels, 8, seed));
    const auto fast = decode_simple_png(span_of(png), "test");
    ASSERT_TRUE(fast);
    EXPECT_EQ(fast->bytes, decode_any_png(span_of(png), "test").bytes);
  }
}

// Flipped bytes: an error with a name, or pixels; never a crash. Where both ways accept, they agree.
TEST(ImageCodec, ADamagedPngIsRefusedOrReadTheSameByBothWays) {
  const std::string good = encode_png(noise(16, 12, 3, 8, 5));
  int refused = 0;
  for (size_t i = 8; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x41);
    try {
      decode_simple_png(span_of(bad), "test");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(good.size()) - 20) << "checksums cover all but lengths and the end";
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_THROW(decode_image(span_of(good.substr(0, cut)), "test"), Error);
}

TEST(ImageCodec, SaysWhatItReadInsteadOfAnImage) {
  try {
    decode_image(span_of("Column1,Column2"), "a/masks/list.png");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::HasSubstr("a/masks/list.png"), testing::HasSubstr("Column1,Colu")));
  }
}

TEST(ImageCodec, SixteenBitsAreScaledByTheStatedRule) {
  Image image{3, 1, 1, 16, {}};
  const uint16_t values[] = {0, 257 * 100 + 128, 65535};
  image.bytes.assign(reinterpret_cast<const uint8_t*>(values), reinterpret_cast<const uint8_t*>(values) + 6);
  EXPECT_EQ(to_8_bit(image).bytes, (std::vector<uint8_t>{0, 100, 255}));
}

TEST(ImageCodec, AlphaIsDroppedAndGreyRepeated) {
  EXPECT_EQ(to_channels({1, 1, 4, 8, {10, 20, 30, 40}}, 3).bytes, (std::vector<uint8_t>{10, 20, 30}));
  EXPECT_EQ(to_channels({1, 1, 2, 8, {9, 1}}, 3).bytes, (std::vector<uint8_t>{9, 9, 9}));
  EXPECT_EQ(to_channels({1, 1, 3, 8, {255, 255, 255}}, 1).bytes, (std::vector<uint8_t>{255}));
}

}  // namespace
}  // namespace penstock::stages
