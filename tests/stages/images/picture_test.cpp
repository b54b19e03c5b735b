#include "stages/images/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/images/contrast.h"
#include "stages/images/image_files.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

Picture read(const std::string& file, int channels = 3, const PictureRule& rule = {}) {
  return read_picture(span_of(file), "a.tif", rule, channels);
}

std::string refusal(const std::string& file, int channels, const PictureRule& rule = {}) {
  try {
    read(file, channels, rule);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "was read";
}

TEST(Picture, OfGreyThatStaysHasOneChannelAndColoursKeepTheirs) {
  const std::string grey = encode_png({2, 1, 1, 8, {7, 9}}), colours = encode_png({1, 1, 3, 8, {1, 2, 3}});
  EXPECT_THAT(read(grey).image.bytes, ElementsAre(7, 7, 7, 9, 9, 9));
  EXPECT_THAT(read_picture(span_of(grey), "a.png", {}, 3, Grey::stays).image.bytes, ElementsAre(7, 9));
  EXPECT_THAT(read_picture(span_of(colours), "a.png", {}, 3, Grey::stays).image.bytes, ElementsAre(1, 2, 3));
}

// One pixel of `samples` signals 10, 20, 30 ...
std::string signals(int samples) {
  TiffPage page{1, 1, {}};
  for (int c = 1; c <= samples; ++c) page.bytes.push_back(static_cast<uint8_t>(c * 10));
  page.samples = samples;
  page.extras.assign(static_cast<size_t>(samples - 1), 0);
  return tiff_of({page});
}

std::string grey16(const std::vector<uint16_t>& values, int width) {
  TiffPage page{width, static_cast<int>(values.size()) / width, bytes_of(values)};
  page.bits = 16;
  return tiff_of({page});
}

TEST(Picture, TakesGreyColoursAndAlphaAsBefore) {
  EXPECT_THAT(read(encode_png({1, 1, 1, 8, {9}})).image.bytes, ElementsAre(9, 9, 9));
  EXPECT_THAT(read(encode_png({1, 1, 2, 8, {9, 0}})).image.bytes, ElementsAre(9, 9, 9));
  EXPECT_THAT(read(encode_png({1, 1, 4, 8, {1, 2, 3, 0}})).image.bytes, ElementsAre(1, 2, 3));
  EXPECT_THAT(read(encode_png({1, 1, 4, 8, {255, 255, 255, 0}}), 1).image.bytes, ElementsAre(255));
  EXPECT_TRUE(read(encode_png({1, 1, 3, 8, {1, 2, 3}})).record.empty());
}

TEST(Picture, AnotherNumberOfChannelsIsRefusedUntilTheyAreChosen) {
  for (const int samples : {2, 4, 5}) {
    for (const int channels : {1, 3})
      EXPECT_THAT(refusal(signals(samples), channels), AllOf(HasSubstr("a.tif: has"), HasSubstr("channels_from")));
    EXPECT_EQ(read(signals(samples), samples).image.channels, samples) << "as many as resize.channels says";
  }
  EXPECT_THAT(refusal(signals(3), 1), HasSubstr("no colours"));
  EXPECT_THAT(refusal(encode_png({1, 1, 1, 8, {9}}), 2), HasSubstr("has 1 channel,"));
}

TEST(Picture, ChannelsAreTakenInTheOrderGiven) {
  EXPECT_THAT(read(signals(5), 2, {.channels_from = {4, 1}}).image.bytes, ElementsAre(40, 10));
  EXPECT_THAT(read(signals(5), 3, {.channels_from = {5}}).image.bytes, ElementsAre(50, 50, 50));
  EXPECT_THAT(read(signals(8), 8, {.channels_from = {8, 7, 6, 5, 4, 3, 2, 1}}).image.bytes,
              ElementsAre(80, 70, 60, 50, 40, 30, 20, 10));
  EXPECT_THAT(refusal(signals(2), 1, {.channels_from = {3}}),
              AllOf(HasSubstr("has 2 channels"), HasSubstr("channel 3")));
  EXPECT_THAT(read(encode_png({1, 1, 4, 8, {1, 2, 3, 4}}), 1, {.channels_from = {2}}).image.bytes, ElementsAre(2));
  EXPECT_THAT(refusal(encode_png({1, 1, 4, 8, {1, 2, 3, 4}}), 1, {.channels_from = {4}}), HasSubstr("has 3 channels"))
      << "alpha is none";
}

// 100 x 100 values 100..355, as a camera gives them.
std::vector<uint16_t> dim() {
  std::vector<uint16_t> values(10000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(100 + i % 256);
  return values;
}

TEST(Contrast, OfDimPicturesIsKeptWhateverHotPixelsSay) {
  auto values = dim();
  values[305] = 65535;
  values[306] = 0;
  const Picture picture = read(grey16(values, 100), 1);
  EXPECT_EQ(picture.bits, 16);
  EXPECT_THAT(picture.record.at("limits"), Value({{100.0, 355.0}}));
  EXPECT_EQ(picture.image.bytes[0], 0);
  EXPECT_EQ(picture.image.bytes[255], 255);
  EXPECT_EQ(picture.image.bytes[128], 128);
  EXPECT_EQ(picture.image.bytes[305], 255) << "cut";
  const Picture scaled = read(grey16(values, 100), 1, {.contrast = "scale"});
  EXPECT_TRUE(scaled.record.empty());
  EXPECT_EQ(scaled.image.bytes[255], 1);
}

TEST(Contrast, OfPicturesThatUseTheirBitsIsTheFixedScale) {
  std::vector<uint16_t> values(10000), eight(10000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<uint16_t>(i * 3);
    eight[i] = static_cast<uint16_t>(257 * (i % 40));
  }
  EXPECT_EQ(read(grey16(values, 100), 1).image.bytes[9999], (29997 + 128) / 257);
  EXPECT_EQ(read(grey16(eight, 100), 1).image.bytes[39], 39) << "8 bits that were written as 16 are these 8 bits";
  EXPECT_EQ(read(grey16(eight, 100), 1, {.contrast = "percentile"}).image.bytes[39], 255);
}

TEST(Contrast, OfDimObjectsBesideBrightOnesIsKeptByTheRoot) {
  std::vector<uint16_t> values(64, 1000);
  values[1] = 1100, values[2] = 1400, values[3] = 11000;
  const Picture picture = read(grey16(values, 8), 1, {.contrast = "root"});
  EXPECT_THAT(std::vector(picture.image.bytes.begin(), picture.image.bytes.begin() + 4), ElementsAre(0, 26, 51, 255));
  EXPECT_THAT(picture.record.at("limits"), Value({{1000.0, 11000.0}}));
  const Picture linear = read(grey16(values, 8), 1, {.contrast = "percentile"});
  EXPECT_EQ(linear.image.bytes[1], 3);
}

TEST(Contrast, OfAFlatPictureIsNotMadeUp) {
  for (const char* contrast : {"auto", "percentile", "scale", "root"}) {
    const Picture picture = read(grey16(std::vector<uint16_t>(64, 777), 8), 1, {.contrast = contrast});
    EXPECT_THAT(picture.image.bytes, Each(3));
    EXPECT_TRUE(picture.record.empty());
  }
  std::vector<uint16_t> spot(10000, 500);
  spot[50] = 900;
  EXPECT_EQ(read(grey16(spot, 100), 1).image.bytes[50], 255) << "the only thing there is to be seen";
}

TEST(Contrast, IsOneForColoursAndEachSignalsOwn) {
  TiffPage page{100, 100, {}};
  std::vector<uint16_t> values;
  for (size_t i = 0; i < 10000; ++i) {
    values.push_back(static_cast<uint16_t>(i % 200));
    values.push_back(static_cast<uint16_t>(i % 200 * 20));
    values.push_back(static_cast<uint16_t>(i % 200 * 300));
  }
  page.bytes = bytes_of(values);
  page.samples = 3;
  page.bits = 16;
  page.extras = {0, 0};
  const Picture apart = read(tiff_of({page}));
  EXPECT_EQ(apart.record.at("limits").size(), 3u);
  EXPECT_EQ(apart.image.bytes[199 * 3], 255);
  EXPECT_EQ(apart.image.bytes[199 * 3 + 1], 255);
  EXPECT_EQ(apart.image.bytes[199 * 3 + 2], (199 * 300 + 128) / 257) << "uses its bits";
  page.photometric = PHOTOMETRIC_RGB;
  page.extras = {};
  const Picture together = read(tiff_of({page}));
  EXPECT_TRUE(together.record.empty());
  EXPECT_EQ(together.image.bytes[199 * 3], 1);
}

TEST(Picture, OfFloatsSaysTheValuesThatBecameBlackAndWhite) {
  std::vector<float> values(10000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = -2 + static_cast<float>(i % 101) * 0.04f;
  TiffPage page{100, 100, bytes_of(values)};
  page.bits = 32;
  page.format = SAMPLEFORMAT_IEEEFP;
  const Picture picture = read(tiff_of({page}), 1);
  const Value limits = picture.record.at("limits").at(0);
  EXPECT_NEAR(limits.at(0).get<double>(), -2, 1e-4);
  EXPECT_NEAR(limits.at(1).get<double>(), 2, 1e-4);
  EXPECT_EQ(picture.image.bytes[50], 128);
}

const uint16_t* wide(const Picture& picture) {
  EXPECT_EQ(picture.image.bits, 16);
  return reinterpret_cast<const uint16_t*>(picture.image.bytes.data());
}

TEST(KeptBits, OfAPictureThatUsesThemAreTheFiles) {
  std::vector<uint16_t> values(10000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i * 6 + 5);
  const Picture picture = read(grey16(values, 100), 1, {.keeps_bits = true});
  EXPECT_TRUE(picture.record.empty());
  EXPECT_EQ(std::vector(wide(picture), wide(picture) + values.size()), values);
}

TEST(KeptBits, OfDimPicturesAreStretchedOverAllOf16) {
  const Picture picture = read(grey16(dim(), 100), 1, {.keeps_bits = true});
  EXPECT_THAT(picture.record.at("limits"), Value({{100.0, 355.0}}));
  EXPECT_EQ(wide(picture)[0], 0);
  EXPECT_EQ(wide(picture)[1], 257) << "one of 255 steps";
  EXPECT_EQ(wide(picture)[255], 65535);
}

TEST(KeptBits, OfTheRootAreThoseOf16) {
  std::vector<uint16_t> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i * i);
  const Picture picture = read(grey16(values, 8), 1, {.contrast = "root", .keeps_bits = true});
  EXPECT_NEAR(wide(picture)[21], 65535 * 21.0 / 63, 1);
}

TEST(KeptBits, ThatRepeat8BitsAreThose8) {
  std::vector<uint16_t> eight(10000);
  for (size_t i = 0; i < eight.size(); ++i) eight[i] = static_cast<uint16_t>(257 * (i % 200));
  const Picture picture = read(grey16(eight, 100), 1, {.keeps_bits = true});
  EXPECT_EQ(picture.image.bits, 8);
  EXPECT_EQ(picture.image.bytes[199], 199);
}

TEST(KeptBits, OfColoursAreMixedToGreyAndGreyIsRepeated) {
  TiffPage page{1, 1, bytes_of(std::vector<uint16_t>{1000, 2001, 40003})};
  page.samples = 3, page.bits = 16, page.photometric = PHOTOMETRIC_RGB;
  const PictureRule rule{.contrast = "scale", .keeps_bits = true};
  EXPECT_EQ(wide(read(tiff_of({page}), 1, rule))[0], (299 * 1000 + 587 * 2001 + 114 * 40003 + 500) / 1000);
  const Picture repeated = read(grey16({777}, 1), 3, rule);
  for (int c = 0; c < 3; ++c) EXPECT_EQ(wide(repeated)[c], 777);
}

TEST(PictureRule, OfOtherBitsThanAreKnownIsRefused) {
  Value json = Value::object();
  put_input(json, {.keeps_bits = true});
  json["input"]["bits"] = 12;
  EXPECT_THROW(input_of(json), Error);
}

TEST(PictureRule, TravelsAsInputAndTheDefaultLeavesNoTrace) {
  Value json = {{"width", 1}};
  put_input(json, {});
  EXPECT_EQ(json, (Value{{"width", 1}}));
  EXPECT_EQ(input_of(json), PictureRule{});
  for (const PictureRule& rule :
       {PictureRule{{PageChoice::How::maximum}, {2, 1}, "scale"}, PictureRule{{PageChoice::How::one, 7}, {}, "auto"},
        PictureRule{{}, {}, "percentile"}, PictureRule{{}, {}, "auto", true}}) {
    put_input(json, rule);
    EXPECT_EQ(input_of(Value::parse(json.dump())), rule);
  }
}

}  // namespace
}  // namespace penstock::stages
