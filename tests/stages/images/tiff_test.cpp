#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "distributed/error.h"
#include "stages/images/image_codec.h"
#include "stages/images/image_files.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int width = 21, height = 13;

std::vector<uint8_t> ramp(size_t count, int step = 7) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * static_cast<size_t>(step));
  return bytes;
}

TiffPage page_of(int samples, int bits = 8) {
  TiffPage page{width, height, ramp(static_cast<size_t>(width) * height * samples * (bits / 8))};
  page.samples = samples;
  page.bits = bits;
  if (samples >= 3) page.photometric = PHOTOMETRIC_RGB;
  if (samples == 4) page.extras = {EXTRASAMPLE_UNASSALPHA};
  return page;
}

Image read(const std::vector<TiffPage>& pages, const PageChoice& choice = {}, const char* mode = "w") {
  return decode_image(span_of(tiff_of(pages, mode)), "a.tif", choice);
}

LabelsImage labels(const std::vector<TiffPage>& pages, const PageChoice& choice = {}) {
  return decode_labels_image(span_of(tiff_of(pages)), "m.tif", choice);
}

// What the sentence of the refusal says.
template <typename Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  ADD_FAILURE() << "was read";
  return "";
}

template <typename T>
std::vector<T> values(const Image& image) {
  std::vector<T> all(image.bytes.size() / sizeof(T));
  std::memcpy(all.data(), image.bytes.data(), image.bytes.size());
  return all;
}

TEST(Tiff, ThatClaimsMoreThanItsBytesCanHoldTakesNoMemory) {
  const auto number = [](uint32_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
    return text;
  };
  const auto claimed = [&](uint32_t side, uint32_t bits, uint32_t samples, uint32_t photometric,
                           uint32_t compression = COMPRESSION_ADOBE_DEFLATE) {
    const uint32_t tags[][2] = {{256, side},        {257, side},        {258, bits},
                                {259, compression}, {262, photometric}, {273, 8},
                                {277, samples},     {278, side},        {279, 4}};
    std::string file = "II*" + std::string(1, '\0') + number(8, 4) + number(std::size(tags), 2);
    for (const auto& [tag, value] : tags) file += number(tag, 2) + number(4, 2) + number(1, 4) + number(value, 4);
    file += number(0, 4);
    return refusal([&] { decode_image(span_of(file), "a.tif"); });
  };
  EXPECT_THAT(claimed(40000, 64, 1, PHOTOMETRIC_MINISBLACK), HasSubstr("cannot hold 40000 x 40000 pixels of 64 bits"));
  EXPECT_THAT(claimed(26000, 8, 3, PHOTOMETRIC_YCBCR), HasSubstr("cannot hold 26000 x 26000 pixels of 24 bits"));
  for (const int compression : {COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW, COMPRESSION_PACKBITS}) {
    EXPECT_THAT(claimed(4000, 8, 1, PHOTOMETRIC_MINISBLACK, compression),
                HasSubstr("has 4 bytes, which cannot hold 4000 rows of 4000 bytes"));
  }
  EXPECT_THAT(claimed(30000, 1, 1, PHOTOMETRIC_MINISWHITE, COMPRESSION_CCITTFAX4),
              HasSubstr("has 4 bytes, which cannot hold 30000 rows of 3750 bytes"));
}

// libtiff only warns of most of it, and leaves the rows that are missing white.
TEST(Tiff, OfCcittThatEndsTooEarlyIsRefused) {
  TiffPage page{64, 4, ramp(32, 77)};
  page.bits = 1;
  page.compression = COMPRESSION_CCITTFAX4;
  std::string file = tiff_of({page});
  EXPECT_EQ(decode_image(span_of(file), "a.tif").width, 64);
  // The bytes of its one strip: tag 279, whose value lies 8 bytes behind its number. The last three are the mark of its
  // end.
  const size_t at = file.rfind("\x17\x01") + 8;
  ASSERT_LT(at, file.size());
  const int whole = static_cast<uint8_t>(file[at]) - 3;
  ASSERT_GT(whole, 8);
  for (int bytes = 1; bytes < whole; ++bytes) {
    file[at] = static_cast<char>(bytes);
    EXPECT_THAT(refusal([&] { decode_image(span_of(file), "a.tif"); }), HasSubstr("damaged")) << bytes;
  }
}

TEST(Tiff, StripsTilesByteOrdersAndCompressionsGiveTheSamePixels) {
  const int compressions[] = {COMPRESSION_NONE,     COMPRESSION_LZW,  COMPRESSION_ADOBE_DEFLATE,
                              COMPRESSION_PACKBITS, COMPRESSION_ZSTD, COMPRESSION_LZMA};
  for (const int samples : {1, 3, 4}) {
    for (const int bits : {8, 16}) {
      for (const int compression : compressions) {
        for (const int tile : {0, 16}) {
          for (const char* mode : {"w", "wb", "w8"}) {
            TiffPage page = page_of(samples, bits);
            const auto wanted = page.bytes;
            page.compression = compression;
            page.tile = tile;
            if (compression == COMPRESSION_LZW) page.predictor = 2;
            const Image image = read({page}, {}, mode);
            ASSERT_EQ(image.bytes, wanted) << samples << " " << bits << " " << compression << " " << tile << mode;
            EXPECT_EQ(image.channels, samples);
            EXPECT_EQ(image.bits, bits);
            EXPECT_FALSE(image.measured);
          }
        }
      }
    }
  }
}

TEST(Tiff, PlanesApartBecomeInterleaved) {
  for (const int tile : {0, 16}) {
    TiffPage page = page_of(3);
    page.apart = true;
    page.tile = tile;
    const Image image = read({page});
    const size_t pixels = static_cast<size_t>(width) * height;
    for (size_t i = 0; i < pixels; ++i)
      for (size_t c = 0; c < 3; ++c) ASSERT_EQ(image.bytes[i * 3 + c], page.bytes[c * pixels + i]);
  }
}

TEST(Tiff, FewBitsAreScaledAndTwelveStayTwelve) {
  TiffPage one{10, 1, {0b10110001, 0b01000000}};
  one.bits = 1;
  EXPECT_EQ(read({one}).bytes, (std::vector<uint8_t>{255, 0, 255, 255, 0, 0, 0, 255, 0, 255}));
  TiffPage two{4, 1, {0b00011011}};
  two.bits = 2;
  EXPECT_EQ(read({two}).bytes, (std::vector<uint8_t>{0, 85, 170, 255}));
  TiffPage four{3, 1, {0x0f, 0x70}};
  four.bits = 4;
  EXPECT_EQ(read({four}).bytes, (std::vector<uint8_t>{0, 255, 119}));
  TiffPage twelve{2, 1, {0xab, 0xc1, 0x23}};
  twelve.bits = 12;
  const Image image = read({twelve});
  EXPECT_EQ(image.bits, 16);
  EXPECT_THAT(values<uint16_t>(image), ElementsAre(0xabc, 0x123));
}

TEST(Tiff, ZeroIsWhiteIsTurnedOver) {
  TiffPage page{3, 1, {0, 10, 255}};
  page.photometric = PHOTOMETRIC_MINISWHITE;
  EXPECT_THAT(read({page}).bytes, ElementsAre(255, 245, 0));
  TiffPage fax{16, 2, {0b11110000, 0, 0, 0b00001111}};
  fax.bits = 1;
  fax.photometric = PHOTOMETRIC_MINISWHITE;
  fax.compression = COMPRESSION_CCITTFAX4;
  EXPECT_EQ(read({fax}).bytes[0], 0);
  EXPECT_EQ(read({fax}).bytes[8], 255);
  EXPECT_EQ(labels({fax}).values[8], 1u) << "a mask counts, it is not scaled";
}

TEST(Tiff, SignedValuesDoNotWrap) {
  TiffPage page{4, 1, bytes_of(std::vector<int16_t>{-3000, -1, 0, 7200})};
  page.bits = 16;
  page.format = SAMPLEFORMAT_INT;
  const Image image = read({page});
  EXPECT_THAT(values<uint16_t>(image), ElementsAre(29768, 32767, 32768, 39968));
  ASSERT_TRUE(image.range);
  EXPECT_EQ(image.range->low, -32768);
  page.bytes = bytes_of(std::vector<int16_t>{0, 5, 9, 1000});
  EXPECT_THAT(values<uint16_t>(read({page})), ElementsAre(0, 5, 9, 1000));
  EXPECT_FALSE(read({page}).range) << "none is negative: the numbers are kept";
}

TEST(Tiff, LargeIntegersAreKeptWhereTheyFitAndMappedByARangeWhereNot) {
  TiffPage page{4, 1, bytes_of(std::vector<uint32_t>{0, 5, 600, 65535})};
  page.bits = 32;
  EXPECT_THAT(values<uint16_t>(read({page})), ElementsAre(0, 5, 600, 65535));
  page.bytes = bytes_of(std::vector<uint32_t>{1'000'000, 1'000'001, 1'060'000, 1'000'007});
  EXPECT_THAT(values<uint16_t>(read({page})), ElementsAre(0, 1, 60000, 7));
  page.bytes = bytes_of(std::vector<uint32_t>{0, 4'000'000'000, 2'000'000'000, 0});
  const Image image = read({page});
  EXPECT_THAT(values<uint16_t>(image), ElementsAre(0, 65535, 32768, 0));
  EXPECT_EQ(image.range->high, 4e9);
}

TEST(Tiff, FloatsAreMappedByTheirFiniteRangeAndWhatIsNoNumberIsSaid) {
  TiffPage page{4, 1, bytes_of(std::vector<float>{0.25f, 0.5f, 0.75f, 0.25f})};
  page.bits = 32;
  page.format = SAMPLEFORMAT_IEEEFP;
  const Image image = read({page});
  EXPECT_THAT(values<uint16_t>(image), ElementsAre(0, 32768, 65535, 0));
  EXPECT_EQ(image.range->low, 0.25);
  EXPECT_THAT(image.notes, ElementsAre());
  page.bytes = bytes_of(std::vector<float>{NAN, 0.5f, 0.75f, INFINITY});
  const Image holes = read({page});
  EXPECT_THAT(values<uint16_t>(holes), ElementsAre(0, 0, 65535, 65535));
  EXPECT_THAT(holes.notes, ElementsAre(HasSubstr("2 of 4 values are NaN or infinite")));
  page.bytes = bytes_of(std::vector<float>(4, NAN));
  EXPECT_THAT(refusal([&] { read({page}); }), AllOf(HasSubstr("a.tif"), HasSubstr("finite")));
  TiffPage wide{2, 1, bytes_of(std::vector<double>{-1e308, 1e308})};
  wide.bits = 64;
  wide.format = SAMPLEFORMAT_IEEEFP;
  EXPECT_THAT(values<uint16_t>(read({wide})), ElementsAre(0, 65535));
  TiffPage half{3, 1, bytes_of(std::vector<uint16_t>{0x0000, 0x3800, 0x3c00})};  // 0, 0.5, 1
  half.bits = 16;
  half.format = SAMPLEFORMAT_IEEEFP;
  EXPECT_THAT(values<uint16_t>(read({half})), ElementsAre(0, 32768, 65535));
}

TEST(Tiff, AHotPixelDoesNotTakeTheRangeOfFloats) {
  std::vector<float> pixels(10000);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i % 100) / 100;
  pixels[77] = 1e6f;
  TiffPage page{100, 100, bytes_of(pixels)};
  page.bits = 32;
  page.format = SAMPLEFORMAT_IEEEFP;
  const auto got = values<uint16_t>(read({page}));
  EXPECT_EQ(got[77], 65535);
  EXPECT_GT(got[50] - got[0], 10000) << "half of the range of the others";
}

TEST(Tiff, PalettesCmykAndYcbcrBecomeRgb) {
  TiffPage palette{3, 1, {0, 1, 2}};
  palette.photometric = PHOTOMETRIC_PALETTE;
  palette.more = [](TIFF* tiff) {
    uint16_t red[256] = {0, 65535, 0x1200}, green[256] = {0, 0, 0x3400}, blue[256] = {0, 65535, 0x5600};
    TIFFSetField(tiff, TIFFTAG_COLORMAP, red, green, blue);
  };
  EXPECT_THAT(read({palette}).bytes, ElementsAre(0, 0, 0, 255, 0, 255, 0x12, 0x34, 0x56));
  EXPECT_THAT(labels({palette}).values, ElementsAre(0, 1, 2));
  EXPECT_TRUE(labels({palette}).palette);
  TiffPage inks{2, 1, {0, 255, 0, 0, 0, 0, 0, 255}};
  inks.samples = 4;
  inks.photometric = PHOTOMETRIC_SEPARATED;
  EXPECT_THAT(read({inks}).bytes, ElementsAre(255, 0, 255, 0, 0, 0));
  TiffPage jpeg{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
  jpeg.samples = 3;
  jpeg.photometric = PHOTOMETRIC_YCBCR;
  jpeg.compression = COMPRESSION_JPEG;
  jpeg.more = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB); };
  for (size_t i = 0; i < jpeg.bytes.size(); i += 3) jpeg.bytes[i] = 200;
  const Image red = read({jpeg});
  EXPECT_NEAR(red.bytes[0], 200, 4);
  EXPECT_NEAR(red.bytes[1], 0, 4);
}

TEST(Tiff, SignalsAreToldFromColours) {
  TiffPage two = page_of(2);
  two.extras = {EXTRASAMPLE_UNSPECIFIED};
  EXPECT_TRUE(read({two}).measured);
  EXPECT_EQ(read({two}).colours(), 2);
  TiffPage alpha = page_of(2);
  alpha.extras = {EXTRASAMPLE_UNASSALPHA};
  EXPECT_EQ(read({alpha}).colours(), 1);
  TiffPage five = page_of(5);
  five.photometric = PHOTOMETRIC_MINISBLACK;
  five.extras = {0, 0, 0, 0};
  EXPECT_EQ(read({five}).colours(), 5);
  EXPECT_EQ(read({five}).bytes, five.bytes);
}

TEST(Tiff, AllOrientationsComeUprightMasksToo) {
  // Stored so that each shows 1 2 3 / 4 5 6.
  const std::vector<std::pair<std::vector<uint8_t>, std::pair<int, int>>> stored = {
      {{1, 2, 3, 4, 5, 6}, {3, 2}}, {{3, 2, 1, 6, 5, 4}, {3, 2}}, {{6, 5, 4, 3, 2, 1}, {3, 2}},
      {{4, 5, 6, 1, 2, 3}, {3, 2}}, {{1, 4, 2, 5, 3, 6}, {2, 3}}, {{3, 6, 2, 5, 1, 4}, {2, 3}},
      {{6, 3, 5, 2, 4, 1}, {2, 3}}, {{4, 1, 5, 2, 6, 3}, {2, 3}}};
  for (size_t i = 0; i < stored.size(); ++i) {
    TiffPage page{stored[i].second.first, stored[i].second.second, stored[i].first};
    page.orientation = static_cast<int>(i) + 1;
    const Image image = read({page});
    EXPECT_THAT(image.bytes, ElementsAre(1, 2, 3, 4, 5, 6)) << "orientation " << i + 1;
    EXPECT_EQ(image.width, 3);
    EXPECT_THAT(labels({page}).values, ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

// A page of one value.
TiffPage flat(uint8_t value, int side = 4) {
  return {side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side, value)};
}

TEST(Tiff, AStackIsRefusedOrChosenOrProjected) {
  const std::vector<TiffPage> stack = {flat(10), flat(30), flat(23)};
  EXPECT_THAT(refusal([&] { read(stack); }),
              AllOf(HasSubstr("a.tif: is a stack of 3 pages"), HasSubstr("resize.page")));
  EXPECT_EQ(read(stack, {PageChoice::How::one, 2}).bytes[0], 30);
  EXPECT_EQ(read(stack, {PageChoice::How::maximum}).bytes[0], 30);
  EXPECT_EQ(read(stack, {PageChoice::How::mean}).bytes[0], 21);
  EXPECT_THAT(refusal([&] { read(stack, {PageChoice::How::one, 4}); }), HasSubstr("has 3 pages"));
  EXPECT_EQ(read({flat(7)}, {PageChoice::How::mean}).bytes[0], 7);
}

TEST(Tiff, ReducedCopiesAndThumbnailsAreNoStack) {
  TiffPage small = flat(99, 2);
  small.kind = FILETYPE_REDUCEDIMAGE;
  EXPECT_EQ(read({flat(5), small, small}).bytes[0], 5);
  EXPECT_THAT(read({flat(5), small}).notes, ElementsAre());
  const Image image = read({small, flat(5)});
  EXPECT_EQ(image.bytes[0], 5);
  EXPECT_THAT(image.notes, ElementsAre(HasSubstr("marked as a reduced copy")));
  small.kind = 0;
  EXPECT_THAT(read({flat(5), small}).notes, ElementsAre(HasSubstr("1 of its 2 pages are smaller")));
}

TEST(Tiff, DescriptionsSayWhichPlanesAreChannels) {
  std::vector<TiffPage> planes;
  for (int i = 0; i < 6; ++i) planes.push_back(flat(static_cast<uint8_t>(i)));
  const auto pixel = [&](const std::string& description, int page) {
    planes[0].description = description;
    const Image image = read(planes, {PageChoice::How::one, page});
    EXPECT_TRUE(image.measured);
    return std::vector<uint8_t>(image.bytes.begin(), image.bytes.begin() + image.channels);
  };
  EXPECT_THAT(pixel("ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n", 2), ElementsAre(2, 3));
  const std::string ome =
      "<?xml version=\"1.0\"?><OME><Image><Pixels DimensionOrder=\"XYZCT\" SizeX=\"4\" SizeY=\"4\" "
      "SizeZ=\"2\" SizeC=\"3\" SizeT=\"1\" Type=\"uint8\"></Pixels></Image></OME>";
  EXPECT_THAT(pixel(ome, 2), ElementsAre(1, 3, 5));
  EXPECT_THAT(pixel("{\"shape\": [2, 3, 4, 4], \"axes\": \"ZCYX\"}", 2), ElementsAre(3, 4, 5));
  EXPECT_THAT(pixel("{\"shape\": [6, 4, 4], \"axes\": \"CYX\"}", 1), ElementsAre(0, 1, 2, 3, 4, 5));
  for (const char* wrong : {"ImageJ=1\nimages=4\nchannels=4\n", "<OME><Pixels SizeC=\"\"", "{\"shape\": [9], ", "{}"}) {
    planes[0].description = wrong;
    EXPECT_THAT(refusal([&] { read(planes); }), HasSubstr("stack of 6 pages")) << wrong;
  }
}

// One directory of 2 x 1 pixels of 16 bits, as ImageJ writes a large stack: big endian, all planes at the end.
std::string imagej_file(const std::string& description, const std::vector<uint16_t>& values) {
  std::string file("MM\0*\0\0\0\x08", 8);
  const auto number = [&](uint32_t value, int bytes) {
    for (int i = bytes; i-- > 0;) file += static_cast<char>(value >> i * 8);
  };
  constexpr uint32_t entries = 9, u16 = 3, u32 = 4, text = 2;
  const uint32_t behind = 8 + 2 + entries * 12 + 4;
  const auto entry = [&](uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    number(tag, 2), number(type, 2), number(count, 4);
    type == u16 ? (number(value, 2), number(0, 2)) : number(value, 4);
  };
  number(entries, 2);
  entry(256, u16, 1, 2), entry(257, u16, 1, 1), entry(258, u16, 1, 16), entry(259, u16, 1, 1), entry(262, u16, 1, 1);
  entry(270, text, static_cast<uint32_t>(description.size()) + 1, behind);
  entry(273, u32, 1, behind + static_cast<uint32_t>(description.size()) + 1);
  entry(278, u16, 1, 1), entry(279, u32, 1, 4);
  number(0, 4);
  file += description + std::string(1, '\0');
  for (const uint16_t value : values) number(value, 2);
  return file;
}

TEST(Tiff, ImageJsStackBehindOneDirectoryIsAStack) {
  const std::string file = imagej_file("ImageJ=1.53t\nimages=3\nslices=3\n", {1, 2, 500, 400, 5, 6});
  EXPECT_THAT(refusal([&] { decode_image(span_of(file), "a.tif"); }), HasSubstr("is a stack of 3 pages"));
  const auto page = [&](int n) {
    return values<uint16_t>(decode_image(span_of(file), "a.tif", {PageChoice::How::one, n}));
  };
  EXPECT_THAT(page(1), ElementsAre(1, 2));
  EXPECT_THAT(page(2), ElementsAre(500, 400));
  EXPECT_THAT(values<uint16_t>(decode_image(span_of(file), "a.tif", {PageChoice::How::maximum})),
              ElementsAre(500, 400));
  const std::string colours = imagej_file("ImageJ=1.53t\nimages=3\nchannels=3\n", {1, 2, 500, 400, 5, 6});
  EXPECT_THAT(values<uint16_t>(decode_image(span_of(colours), "a.tif")), ElementsAre(1, 500, 5, 2, 400, 6));
  const std::string cut = file.substr(0, file.size() - 2);
  EXPECT_THAT(refusal([&] {
                decode_image(span_of(cut), "a.tif", {PageChoice::How::one, 3});
              }),
              HasSubstr("ends before plane 3 of 3"));
}

TEST(Tiff, LabelsOfAnySizeSurvive) {
  TiffPage page{3, 1, bytes_of(std::vector<int32_t>{0, 79973, 900'000})};
  page.bits = 32;
  page.format = SAMPLEFORMAT_INT;
  EXPECT_THAT(labels({page}).values, ElementsAre(0, 79973, 900'000));
  EXPECT_EQ(labels({page}).bits, 32);
  page.bytes = bytes_of(std::vector<float>{0, 17, 70000});
  page.format = SAMPLEFORMAT_IEEEFP;
  EXPECT_THAT(labels({page}).values, ElementsAre(0, 17, 70000));
  page.bytes = bytes_of(std::vector<float>{0, 0.5f, 1});
  EXPECT_THAT(refusal([&] { labels({page}); }), AllOf(HasSubstr("m.tif"), HasSubstr("0.5")));
  page.bytes = bytes_of(std::vector<int32_t>{0, -1, 1});
  page.format = SAMPLEFORMAT_INT;
  EXPECT_THAT(refusal([&] { labels({page}); }), HasSubstr("-1"));
  TiffPage wide{2, 1, bytes_of(std::vector<int64_t>{5, 4294967295})};
  wide.bits = 64;
  wide.format = SAMPLEFORMAT_INT;
  EXPECT_THAT(labels({wide}).values, ElementsAre(5, 4294967295));
  EXPECT_THAT(refusal([&] { labels({flat(1), flat(2)}); }), HasSubstr("a mask of 2 pages"));
  EXPECT_EQ(labels({flat(1)}, {PageChoice::How::one, 3}).values[0], 1u) << "a flat mask fits any page of its image";
}

TEST(Tiff, WhatIsNotReadIsRefusedByName) {
  TiffPage complex{2, 1, std::vector<uint8_t>(16)};
  complex.bits = 64;
  complex.format = SAMPLEFORMAT_COMPLEXIEEEFP;
  EXPECT_THAT(refusal([&] { read({complex}); }), AllOf(HasSubstr("a.tif"), HasSubstr("sample format 6")));
  TiffPage many{1, 1, std::vector<uint8_t>(200)};
  many.samples = 200;
  EXPECT_THAT(refusal([&] { read({many}); }), HasSubstr("200 channels"));
  const std::string whole = tiff_of({page_of(3)});
  EXPECT_THAT(refusal([&] { decode_image(span_of(whole.substr(0, whole.size() / 2)), "a.tif"); }), HasSubstr("a.tif"));
}

}  // namespace
}  // namespace penstock::stages
