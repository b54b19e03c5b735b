#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/archives/archives.h"
#include "stages/draws.h"
#include "stages/images/image_codec.h"
#include "stages/images/image_files.h"
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

// 2 x 2 grey pixels, uncompressed, little endian: header, pixels, one directory.
std::vector<uint8_t> small_tiff() {
  std::vector<uint8_t> file = {'I', 'I', 42, 0, 12, 0, 0, 0, 10, 20, 30, 40, 8, 0};
  const auto entry = [&](uint16_t tag, uint16_t type, uint32_t value) {
    for (const uint16_t word : {tag, type, uint16_t{1}, uint16_t{0}, static_cast<uint16_t>(value), uint16_t{0}}) {
      file.push_back(static_cast<uint8_t>(word));
      file.push_back(static_cast<uint8_t>(word >> 8));
    }
  };
  constexpr uint16_t u16 = 3, u32 = 4;
  entry(256, u16, 2);  // width
  entry(257, u16, 2);  // height
  entry(258, u16, 8);  // bits
  entry(259, u16, 1);  // not compressed
  entry(262, u16, 1);  // 0 is black
  entry(273, u32, 8);  // where the pixels begin
  entry(278, u16, 2);  // rows of the strip
  entry(279, u32, 4);  // bytes of the strip
  file.insert(file.end(), 4, 0);
  return file;
}

TEST(ImageCodec, ATiffIsReadAsItIsAndACutOneIsRefused) {
  const auto file = small_tiff();
  const Image image = decode_image(file, "test");
  EXPECT_EQ(image.bytes, (std::vector<uint8_t>{10, 20, 30, 40}));
  EXPECT_EQ(image.channels, 1);
  EXPECT_THROW(decode_image(std::span(file).first(40), "test"), Error);
}

// 8 x 8 grey pixels of value 128: every coefficient is zero.
std::vector<uint8_t> small_jpeg() {
  std::vector<uint8_t> file;
  const auto segment = [&](uint8_t kind, std::vector<uint8_t> content, size_t size) {
    content.resize(size);
    for (const size_t byte : {size_t{0xff}, size_t{kind}, size_t{0}, size + 2})
      file.push_back(static_cast<uint8_t>(byte));
    file.insert(file.end(), content.begin(), content.end());
  };
  file = {0xff, 0xd8};
  segment(0xdb, std::vector<uint8_t>(65, 1), 65);    // table 1 of quantisation
  segment(0xc0, {8, 0, 8, 0, 8, 1, 1, 0x11, 1}, 9);  // the frame: 8 bits, 8 x 8, one component
  segment(0xc4, {0, 1}, 18);                         // one DC code of one bit: a difference of 0
  segment(0xc4, {0x10, 1}, 18);                      // one AC code of one bit: the block ends
  segment(0xda, {1, 1, 0, 0, 63, 0}, 6);             // the scan
  file.insert(file.end(), {0x3f, 0xff, 0xd9});       // both codes, padding; the end
  return file;
}

TEST(ImageCodec, AJpegIsReadAndACutOneIsRefused) {
  const auto file = small_jpeg();
  const Image image = decode_image(file, "test");
  EXPECT_EQ(image.bytes, std::vector<uint8_t>(64, 128));
  EXPECT_EQ(image.channels, 1);
  EXPECT_THROW(decode_image(std::span(file).first(file.size() - 3), "test"), Error);
}

TEST(ImageCodec, NamesOfImagesAreKnownByTheExtensionInAnyCase) {
  for (const char* name : {"a.png", "a.JPG", "a.b.jpeg", "a.Tif", "a.tiff"}) EXPECT_TRUE(looks_like_image_name(name));
  for (const char* name : {"png", "a.", "a.gif", "a.png.zip", ""}) EXPECT_FALSE(looks_like_image_name(name)) << name;
}

TEST(ImageCodec, AnImageWhoseBytesDoNotFillItsSizeIsAProgrammersMistake) {
  const Image half = {4, 4, 3, 8, std::vector<uint8_t>(24)}, many = {1, 1, 65, 8, std::vector<uint8_t>(65)};
  for (const Image& image : {half, many}) {
    EXPECT_THROW(encode_png(image), Error);
    EXPECT_THROW(to_8_bit(image), Error);
    EXPECT_THROW(to_channels(image, 3), Error);
  }
}

TEST(ImageCodec, ABmpIsRefusedByNameWithARemedy) {
  try {
    decode_image(span_of(std::string("BM\x40\0\0\0\0\0\0\0\x36\0\0\0", 14)), "images/a.bmp");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("images/a.bmp"), testing::HasSubstr("a BMP image"),
                                             testing::HasSubstr("convert it")));
  }
}

TEST(ImageCodec, SignalsAreShownInColours) {
  Image two{1, 1, 2, 8, {10, 20}};
  two.measured = true;
  EXPECT_EQ(to_shown(two).bytes, (std::vector<uint8_t>{10, 20, 0}));
  EXPECT_EQ(to_shown({1, 1, 5, 8, {1, 2, 3, 4, 5}}).bytes, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(to_shown({1, 1, 2, 8, {10, 20}}).bytes, (std::vector<uint8_t>{10})) << "the second is alpha";
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
