// Sets of masks through unzip, resize and inspect: what they are taken to mean, their objects, and what stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/context.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::HasSubstr;

constexpr int side = 32;

// A picture of one value with 8 x 8 squares of other values, left to right.
Image picture(int channels, int bits, const std::vector<uint32_t>& squares, uint32_t ground = 0) {
  Image image{side, side, channels, bits, std::vector<uint8_t>(static_cast<size_t>(side) * side * channels * bits / 8)};
  const auto set = [&](size_t pixel, uint32_t value) {
    for (int c = 0; c < channels; ++c) {
      const size_t at = pixel * channels + c;
      if (bits == 16)
        reinterpret_cast<uint16_t*>(image.bytes.data())[at] = static_cast<uint16_t>(value);
      else
        image.bytes[at] = static_cast<uint8_t>(channels >= 3 ? value >> (8 * (2 - std::min(c, 2))) : value);
    }
  };
  for (size_t pixel = 0; pixel < static_cast<size_t>(side) * side; ++pixel) set(pixel, ground);
  for (size_t i = 0; i < squares.size(); ++i) {
    for (size_t y = 4; y < 10; ++y) {
      for (size_t x = 0; x < 6; ++x) set(y * side + i * 8 + 1 + x, squares[i]);
    }
  }
  return image;
}

std::string mask(const std::vector<uint32_t>& squares, int bits = 8) { return encode_png(picture(1, bits, squares)); }

class Set {
 public:
  Set& with(const std::string& name, const std::string& bytes) {
    pipeline::write_file(bench_.path() / "set" / name, bytes);
    return *this;
  }
  Set& pair(const std::string& stem, const std::string& bytes) {
    const uint32_t value = 90 + static_cast<uint8_t>(stem.front());  // no two pictures alike
    return with("images/" + stem + ".png", encode_png(picture(1, 8, {value, value, value})))
        .with("masks/" + stem + ".png", bytes);
  }
  // samples.json
  Value resized(const std::string& masks = "auto") {
    unzipped_ = bench_.run("unzip", {{"archive", {bench_.path() / "set"}}}).at("images");
    resized_ = bench_.run("resize", {{"images", {unzipped_}}}, {{"masks", masks}, {"width", 16}, {"height", 16}})
                   .at("samples");
    return Value::parse(pipeline::read_file(resized_ / "samples.json"));
  }
  Value verdict() {
    resized();
    const auto summary = bench_.run("inspect", {{"images", {unzipped_}}, {"samples", {resized_}}}).at("summary");
    return Value::parse(pipeline::read_file(summary / "verdict.json"));
  }
  std::string refusal(const std::string& masks = "auto") {
    return refusal_of([&] { resized(masks); }, ExitCode::data);
  }

 private:
  Bench bench_;
  std::filesystem::path unzipped_, resized_;
};

std::string meaning(const Value& samples) { return samples.at("masks").at("meaning"); }

std::vector<int> objects(const Value& samples) {
  std::vector<int> counts;
  for (const Value& sample : samples.at("samples")) counts.push_back(sample.at("objects"));
  return counts;
}

TEST(MaskSets, OfNumbersAreLabels) {
  const Value samples = Set().pair("a", mask({1, 2, 3}, 16)).pair("b", mask({7, 300}, 16)).resized();
  EXPECT_EQ(meaning(samples), "labels");
  EXPECT_EQ(objects(samples), (std::vector<int>{3, 2}));
  EXPECT_EQ(samples.at("masks").at("chosen"), "auto");
}

TEST(MaskSets, OfZeroAndOneAreAreas) {
  const Value samples = Set().pair("a", mask({1, 1, 1})).pair("b", mask({255, 255})).pair("c", mask({})).resized();
  EXPECT_EQ(meaning(samples), "binary");
  EXPECT_EQ(objects(samples), (std::vector<int>{3, 2, 0}));
}

TEST(MaskSets, InColoursAreColours) {
  const Value samples = Set().pair("a", encode_png(picture(3, 8, {0xff0000, 0x000040, 0x00ff00}))).resized();
  EXPECT_EQ(meaning(samples), "colours");
  EXPECT_EQ(objects(samples), (std::vector<int>{3}));
}

TEST(MaskSets, OfSeveralFilesAreObjectsAndTheOthersAreNotRead) {
  const Value samples = Set()
                            .with("x/images/x.png", encode_png(picture(1, 8, {90})))
                            .with("x/masks/1.png", mask({255}))
                            .with("x/masks/2.png", mask({0, 255, 255}))
                            .with("y/images/y.png", encode_png(picture(1, 8, {90})))
                            .with("y/masks/1.png", mask({255, 0, 255}))
                            .resized();
  EXPECT_EQ(meaning(samples), "objects");
  EXPECT_EQ(objects(samples), (std::vector<int>{2, 1}));
}

TEST(MaskSets, AreReadAsIsSaid) {
  Set set;
  set.pair("a", mask({1, 2, 1}));
  EXPECT_THAT(set.refusal(), HasSubstr("resize.masks = \"pieces\""));
  EXPECT_EQ(objects(set.resized("pieces")), (std::vector<int>{3}));
  EXPECT_EQ(objects(set.resized("labels")), (std::vector<int>{2}));
  EXPECT_EQ(set.resized("labels").at("masks").at("chosen"), "given");
}

TEST(MaskSets, WithoutAnyObjectAreRefused) {
  EXPECT_THAT(Set().pair("a", mask({})).pair("b", mask({})).refusal(),
              AllOf(HasSubstr("none of the 2 images with masks has an object"), HasSubstr("'a'")));
}

TEST(MaskSets, OfAnotherSizeNameTheFile) {
  EXPECT_THAT(Set().pair("a", encode_png({4, 4, 1, 8, std::vector<uint8_t>(16, 1)})).refusal(),
              AllOf(HasSubstr("masks/a.png"), HasSubstr("4 x 4"), HasSubstr("32 x 32")));
}

TEST(MaskSets, ThatCoverMostImagesAreAProblem) {
  const std::string inverted = encode_png(picture(1, 8, {0}, 255));
  const Value refused = Set().pair("a", inverted).pair("b", inverted).pair("c", mask({1})).verdict();
  EXPECT_FALSE(refused.at("passed"));
  EXPECT_EQ(refused.at("problems").size(), 2u);
  EXPECT_THAT(refused.at("problems")[0].at("problem").get<std::string>(), HasSubstr("its masks cover 96 % of it"));
  const Value passed = Set().pair("a", inverted).pair("b", mask({1})).pair("c", mask({1})).verdict();
  EXPECT_TRUE(passed.at("passed"));
  EXPECT_EQ(passed.at("warnings")[0].at("sample"), "a");
}

TEST(MaskSets, WhoseObjectsLieInTheAlphaChannelAloneAreAProblem) {
  Image white = picture(4, 8, {}, 0xffffff);
  for (size_t i = 3; i < white.bytes.size(); i += 4) white.bytes[i] = i % 3 == 0 ? 255 : 0;
  const Value verdict = Set().pair("a", encode_png(white)).pair("b", encode_png(white)).verdict();
  EXPECT_FALSE(verdict.at("passed"));
  EXPECT_THAT(verdict.at("problems")[0].at("problem").get<std::string>(), HasSubstr("alpha channel"));
}

TEST(MaskSets, ThatClaimEveryPixelTwiceAreAProblem) {
  Set set;
  set.with("x/images/x.png", encode_png(picture(1, 8, {90})));
  for (const char* name : {"1", "2", "3"}) set.with("x/masks/" + std::string(name) + ".png", mask({255}));
  const Value verdict = set.verdict();
  EXPECT_FALSE(verdict.at("passed"));
  EXPECT_THAT(verdict.at("problems")[0].at("problem").get<std::string>(), HasSubstr("every labelled pixel is claimed"));
  EXPECT_EQ(verdict.at("warnings")[0].at("warning"), "2 masks covered by others, and no object");
  EXPECT_EQ(verdict.at("warnings")[1].at("warning"),
            "36 pixels claimed by two masks or more (100 % of the labelled ones): the first mask keeps them");
}

}  // namespace
}  // namespace penstock::stages
