// Pictures of 16 bits, as the network sees them.
#include "stages/compute/model/normaliser.h"

#include <gtest/gtest.h>

#include <cstring>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

constexpr int channels = 3;

std::vector<uint8_t> drawn(uint64_t count, uint64_t values) {
  const Draws draws(1, "normaliser");
  std::vector<uint8_t> bytes;
  for (uint64_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(20 + draws.below(i, values)));
  return bytes;
}

std::vector<float> applied(const Normaliser& normaliser, const PixelValues& image) {
  std::vector<float> out(image.size());
  normaliser.apply(image, channels, out.data());
  return out;
}

TEST(NormaliserOf16Bits, SeesOfABytesPictureWhatThatOf8BitsSees) {
  const std::vector<uint8_t> bytes = drawn(3000, 200), wide = widened(bytes);
  for (const char* kind : {"unit", "zscore", "percentile"}) {
    const Normaliser normaliser = make_normaliser(kind, {&bytes}, channels);
    EXPECT_EQ(normaliser.range_of({wide, 16}), normaliser.range_of(bytes)) << kind;
    EXPECT_EQ(applied(normaliser, {wide, 16}), applied(normaliser, bytes)) << kind;
  }
}

TEST(NormaliserOf16Bits, MeasuresTheMeanAndDeviationOfTheBytes) {
  const std::vector<uint8_t> bytes = drawn(3000, 200), wide = widened(bytes);
  const auto see_it = [&](const SeeImage& see) { see({wide, 16}); };
  const Normaliser narrow = make_normaliser("zscore", {&bytes}, channels);
  const Normaliser measured = measured_normaliser("zscore", see_it, channels);
  for (size_t c = 0; c < channels; ++c) {
    EXPECT_NEAR(measured.mean[c], narrow.mean[c], 1e-12);
    EXPECT_NEAR(measured.sd[c], narrow.sd[c], 1e-12);
  }
}

// 600 values above each other within two and a half bytes: of 8 bits three would be left.
TEST(NormaliserOf16Bits, TellsValuesApartThatLieWithinOneByte) {
  std::vector<uint16_t> values;
  for (int i = 0; i < 600; ++i) values.insert(values.end(), channels, static_cast<uint16_t>(5140 + i));
  std::vector<uint8_t> bytes(values.size() * sizeof(uint16_t));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  const auto seen = applied(Normaliser{"percentile", {}, {}, 0, 100}, {bytes, 16});
  for (size_t i = 1; i < 599; ++i) EXPECT_GT(seen[i], seen[i - 1]) << i;
  EXPECT_LT(seen[0], 0.01f);
  EXPECT_GT(seen[599], 0.9f);
}

}  // namespace
}  // namespace penstock::stages
