#include "stages/images/pixel_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "stages/images/appearance.h"

namespace penstock::stages {
namespace {

using testing::ElementsAre;

std::vector<uint8_t> bytes_of(const std::vector<uint16_t>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(uint16_t));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(PixelValues, Of16BitsAreCountedEachAndMeasuredInBytes) {
  const std::vector<uint8_t> bytes = bytes_of({0, 257, 258, 258, 65535});
  const PixelValues values(bytes, 16);
  EXPECT_EQ(values.size(), 5u);
  const auto counts = counts_of(values);
  ASSERT_EQ(counts.size(), 65536u);
  EXPECT_EQ(counts[258], 2u);
  EXPECT_EQ(counts[259], 0u);
  EXPECT_EQ(in_bytes(257, 16), 1);
  EXPECT_EQ(in_bytes(65535, 16), 255);
  EXPECT_EQ(in_bytes(200, 8), 200);
}

TEST(PixelValues, AtAPlaceIsTheOneThatStandsThereWhenTheyAreSorted) {
  const std::vector<size_t> counts = counts_of(std::vector<uint8_t>{9, 4, 4, 200});
  EXPECT_EQ(value_at_place(counts, 0), 4u);
  EXPECT_EQ(value_at_place(counts, 1), 4u);
  EXPECT_EQ(value_at_place(counts, 2), 9u);
  EXPECT_EQ(value_at_place(counts, 3), 200u);
}

TEST(PixelValues, InWholeBytesAreRoundedToTheNearest) {
  EXPECT_THAT(whole_bytes({bytes_of({0, 128, 129, 385, 386, 65535}), 16}), ElementsAre(0, 0, 1, 1, 2, 255));
}

TEST(ShownRange, SpreadsWhatLiesCloseTogetherOf16BitsAndLeaves8AsTheyAre) {
  std::vector<uint16_t> values(1000, 300);
  for (size_t i = 500; i < values.size(); ++i) values[i] = 600;
  values[0] = 65535;  // a speck
  const std::vector<uint8_t> bytes = bytes_of(values);
  const Image shown = as_shown({100, 10, 1, 16, bytes});
  EXPECT_EQ(shown.bits, 8);
  EXPECT_EQ(shown.bytes[1], 0);
  EXPECT_EQ(shown.bytes[999], 255);
  EXPECT_EQ(shown.bytes[0], 255) << "cut";
  EXPECT_EQ(as_shown({2, 1, 1, 8, {3, 4}}).bytes, (std::vector<uint8_t>{3, 4}));
}

TEST(ShownRange, OfAPictureOfOneValueIsBlack) {
  const std::vector<uint8_t> bytes = bytes_of(std::vector<uint16_t>(20, 65535));
  EXPECT_EQ(as_shown({5, 4, 1, 16, bytes}).bytes, std::vector<uint8_t>(20, 0));
}

TEST(ShownRange, OfTheWholeIsTakenForItsParts) {
  const std::vector<uint8_t> bytes = bytes_of({0, 100, 200, 300, 400, 500});
  const ShownRange range({bytes, 16});
  EXPECT_THAT(range.bytes({std::span(bytes).subspan(6, 4), 16}), ElementsAre(191, 255));
}

TEST(PixelValues, ThatWereWidenedAreTheSameBytesAgain) {
  std::vector<uint8_t> bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<uint8_t>(value));
  EXPECT_EQ(whole_bytes({widened(bytes), 16}), bytes);
}

TEST(PixelValues, AreAsColourfulIn16BitsAsIn8) {
  const std::vector<uint8_t> bytes = {10, 20, 40, 200, 90, 100};
  EXPECT_EQ(colourfulness_of(bytes), (30 + 110) / 2.0);
  EXPECT_EQ(colourfulness_of({widened(bytes), 16}), colourfulness_of(bytes));
}

}  // namespace
}  // namespace penstock::stages
