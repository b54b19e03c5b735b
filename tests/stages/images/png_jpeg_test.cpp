#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "distributed/error.h"
#include "stages/draws.h"
#include "stages/images/image_codec.h"
#include "stages/images/image_files.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& file) {
  try {
    decode_image(span_of(file), "a.x");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "was read";
}

std::string big_endian(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

std::string chunk(const std::string& kind, const std::string& body, bool sound = true) {
  const std::string covered = kind + body;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()));
  return big_endian(static_cast<uint32_t>(body.size())) + covered + big_endian(static_cast<uint32_t>(sum) ^ !sound);
}

std::string deflated(const std::string& text) {
  std::string packed(compressBound(text.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  packed.resize(size);
  return packed;
}

// 3 x 2 grey pixels, by hand: what comes between and behind the chunks.
std::string odd_png(const std::string& before, const std::string& data, const std::string& behind) {
  return std::string("\x89PNG\r\n\x1a\n", 8) +
         chunk("IHDR", big_endian(3) + big_endian(2) + std::string("\x08\0\0\0\0", 5)) + before + data +
         chunk("IEND", "") + behind;
}
const std::string rows("\0\x01\x02\x03\0\x04\x05\x06", 8);

TEST(Png, WhoseDataCannotHoldItsPixelsTakesNoMemory) {
  const auto claimed = [](uint32_t side) {
    return std::string("\x89PNG\r\n\x1a\n", 8) +
           chunk("IHDR", big_endian(side) + big_endian(side) + std::string("\x08\0\0\0\0", 5)) +
           chunk("IDAT", deflated(rows)) + chunk("IEND", "");
  };
  EXPECT_THAT(refusal(claimed(20000)), AllOf(HasSubstr("a.x"), HasSubstr("cannot hold 20000 x 20000 pixels")));
  EXPECT_THAT(refusal(claimed(60000)), HasSubstr("60000 x 60000"));
}

// As masks have them: rows of zeros, skipped by the short way, between others, each with any filter.
TEST(Png, RowsOfZerosBelowZerosAreZerosWithEveryFilter) {
  constexpr uint32_t width = 16, height = 40;
  for (int64_t seed = 0; seed < 50; ++seed) {
    const Draws draws(seed, "rows");
    uint64_t draw = 0;
    std::string filtered;
    for (uint32_t y = 0; y < height; ++y) {
      filtered += static_cast<char>(draws.below(draw++, 5));
      const bool blank = draws.uniform(draw++) < 0.7;
      for (uint32_t x = 0; x < width; ++x)
        filtered += static_cast<char>(blank || draws.uniform(draw++) < 0.7 ? 0 : draws.below(draw++, 256));
    }
    const std::string png = std::string("\x89PNG\r\n\x1a\n", 8) +
                            chunk("IHDR", big_endian(width) + big_endian(height) + std::string("\x08\0\0\0\0", 5)) +
                            chunk("IDAT", deflated(filtered)) + chunk("IEND", "");
    const auto fast = decode_simple_png(span_of(png), "x.png");
    ASSERT_TRUE(fast);
    EXPECT_EQ(fast->bytes, decode_any_png(span_of(png), "x.png").bytes) << seed;
  }
}

// What is behind a stream, in memory or made up for the decoder's sake, is none of its bytes.
TEST(Png, DataThatEndTooEarlyAreNotMadeUpFromWhatIsBehind) {
  const std::string zeros(8, '\0');
  const std::string stream = deflated(zeros);
  EXPECT_EQ(refusal(odd_png("", chunk("IDAT", stream), "")), "was read");
  for (size_t bytes = 0; bytes < stream.size(); ++bytes)
    EXPECT_THAT(refusal(odd_png("", chunk("IDAT", stream.substr(0, bytes)), "")), HasSubstr("PNG")) << bytes;
}

TEST(Png, AnUnknownFilterOfZerosIsRefused) {
  const std::string unknown("\5\0\0\0\0\0\0\0", 8);
  EXPECT_THAT(refusal(odd_png("", chunk("IDAT", deflated(unknown)), "")), HasSubstr("unknown filter 5"));
}

TEST(Png, WhatEveryViewerShowsIsReadAndWhereItBendsTheRulesThatIsSaid) {
  const std::string idat = chunk("IDAT", deflated(rows));
  const struct {
    std::string file;
    bool said;
  } cases[] = {
      {odd_png("", idat, ""), false},
      {odd_png("", idat, std::string(512, '\0') + "made by a camera"), false},
      {odd_png("", idat + chunk("IDAT", ""), ""), false},
      {odd_png(chunk("tEXt", std::string("Software\0x", 10), false), idat, ""), true},
      {odd_png("", chunk("IDAT", deflated(rows + std::string(4, '\0'))), ""), true},
      {odd_png("", chunk("IDAT", deflated(rows) + std::string(1, '\0')), ""), true},
  };
  for (const auto& [file, said] : cases) {
    const Image image = decode_image(span_of(file), "a.png");
    EXPECT_THAT(image.bytes, ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(!image.notes.empty(), said) << (image.notes.empty() ? "" : image.notes[0]);
  }
  EXPECT_THAT(refusal(odd_png("", chunk("IDAT", deflated(rows), false), "")), HasSubstr("checksum of chunk IDAT"));
  EXPECT_THAT(refusal(odd_png("", chunk("IDAT", deflated(rows.substr(0, 5))), "")), HasSubstr("damaged PNG"));
}

TEST(Png, InterlacedSixteenBitsAndFewBitsAreRead) {
  std::vector<uint8_t> rows16, grey;
  for (int i = 0; i < 9 * 7; ++i) {
    rows16.push_back(static_cast<uint8_t>(i));
    rows16.push_back(static_cast<uint8_t>(i * 3));
  }
  const Image image = decode_image(span_of(png_of(9, 7, rows16, {.bits = 16, .interlaced = true})), "a.png");
  EXPECT_EQ(image.bits, 16);
  for (size_t i = 0; i < 63; ++i) {
    EXPECT_EQ(image.bytes[i * 2], static_cast<uint8_t>(i * 3)) << "low byte first";
    EXPECT_EQ(image.bytes[i * 2 + 1], i);
  }
  const std::string one = png_of(10, 1, {0b10110001, 0b01000000}, {.bits = 1});
  EXPECT_EQ(decode_image(span_of(one), "a.png").bytes[0], 255);
  const LabelsImage labels = decode_labels_image(span_of(one), "a.png");
  EXPECT_THAT(labels.values, ElementsAre(1, 0, 1, 1, 0, 0, 0, 1, 0, 1));
  EXPECT_EQ(labels.bits, 1);
}

TEST(Png, APaletteIsColoursInAPictureAndNumbersInAMask) {
  const std::string file =
      png_of(3, 1, {0, 2, 1}, {.color = PNG_COLOR_TYPE_PALETTE, .palette = {{0, 0, 0}, {9, 8, 7}, {255, 0, 1}}});
  EXPECT_THAT(decode_image(span_of(file), "a.png").bytes, ElementsAre(0, 0, 0, 255, 0, 1, 9, 8, 7));
  const LabelsImage labels = decode_labels_image(span_of(file), "a.png");
  EXPECT_THAT(labels.values, ElementsAre(0, 2, 1));
  EXPECT_TRUE(labels.palette);
}

TEST(Png, LabelsKeepSixteenBitsColoursAndAlpha) {
  const auto labels = [](const Image& image) { return decode_labels_image(span_of(encode_png(image)), "m.png"); };
  EXPECT_THAT(labels({2, 1, 1, 16, bytes_of(std::vector<uint16_t>{300, 65535})}).values, ElementsAre(300, 65535));
  const LabelsImage colours = labels({2, 1, 4, 8, {1, 2, 3, 255, 0, 0, 0, 0}});
  EXPECT_THAT(colours.values, ElementsAre(0x010203, 0));
  EXPECT_TRUE(colours.colours);
  EXPECT_THAT(colours.alpha, ElementsAre(255, 0));
  const LabelsImage grey = labels({2, 1, 3, 8, {7, 7, 7, 0, 0, 0}});
  EXPECT_THAT(grey.values, ElementsAre(7, 0)) << "three equal channels are grey";
  EXPECT_FALSE(grey.colours);
}

TEST(Png, ExifTurnsItUpright) {
  const std::string file = png_of(2, 3, {3, 6, 2, 5, 1, 4}, {.exif = exif_of(6)});
  const Image image = decode_image(span_of(file), "a.png");
  EXPECT_THAT(image.bytes, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(image.width, 3);
  EXPECT_THAT(decode_labels_image(span_of(file), "a.png").values, ElementsAre(1, 2, 3, 4, 5, 6));
}

std::vector<uint8_t> halves(int width, int height, uint8_t left, uint8_t right) {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < width * height; ++i) bytes.push_back(i % width < width / 2 ? left : right);
  return bytes;
}

TEST(Jpeg, WhatCamerasWriteAroundTheEndIsReadAndATruncatedOneIsRefused) {
  for (const bool progressive : {false, true}) {
    std::vector<uint8_t> noise(64 * 64);
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * i % 251);
    const std::string good = jpeg_of(64, 64, 1, noise, "", progressive);
    const auto wanted = decode_image(span_of(good), "a.jpg").bytes;
    const std::string body = good.substr(0, good.size() - 2), end = good.substr(good.size() - 2);
    for (const std::string& file : {body + "\x7f\x7f\x7f" + end, good + std::string(3, '\0'), good + good})
      EXPECT_EQ(decode_image(span_of(file), "a.jpg").bytes, wanted);
    for (size_t cut : {size_t{40}, good.size() / 2, good.size() - 60})
      EXPECT_THAT(refusal(good.substr(0, cut)), HasSubstr("damaged JPEG")) << cut << progressive;
    if (!progressive)
      EXPECT_THAT(decode_image(span_of(body), "a.jpg").notes, ElementsAre(HasSubstr("end marker is missing")));
    else
      EXPECT_THAT(refusal(body), HasSubstr("truncated"));
  }
}

TEST(Jpeg, WhoseDataCannotHoldItsPixelsTakesNoMemory) {
  std::string file = jpeg_of(16, 16, 1, std::vector<uint8_t>(256));
  const size_t frame = file.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  file.replace(frame + 5, 4, "\x75\x30\xea\x60");  // height and width
  EXPECT_THAT(refusal(file), AllOf(HasSubstr("a.x"), HasSubstr("cannot hold 60000 x 30000 pixels")));
}

TEST(Jpeg, InksBecomeRgb) {
  std::vector<uint8_t> inks;  // as Adobe stores them: 255 is no ink
  for (int i = 0; i < 64; ++i) inks.insert(inks.end(), {255, 0, 0, 255});
  const Image image = decode_image(span_of(jpeg_of(8, 8, 4, inks)), "a.jpg");
  EXPECT_EQ(image.channels, 3);
  EXPECT_NEAR(image.bytes[0], 255, 3);
  EXPECT_NEAR(image.bytes[1], 0, 3);
}

TEST(Jpeg, ExifTurnsItUpright) {
  const std::string file = jpeg_of(16, 8, 1, halves(16, 8, 0, 255), exif_of(8));
  const Image image = decode_image(span_of(file), "a.jpg");
  EXPECT_EQ(image.width, 8);
  EXPECT_EQ(image.height, 16);
  EXPECT_GT(image.bytes[0], 250) << "the right side comes to the top";
  EXPECT_LT(image.bytes[8 * 15], 5);
}

}  // namespace
}  // namespace penstock::stages
