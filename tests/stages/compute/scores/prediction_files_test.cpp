// What predict and eval write of a picture, whatever its size and the number of its objects.
#include "stages/compute/scores/prediction_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/draws.h"
#include "stages/images/image_codec.h"
#include "stages/images/png_codec.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

constexpr int width = 40, height = 30;

PixelMaps drawn() {
  const Draws draws(2, "prediction files test");
  PixelMaps maps{width, height, {"mask"}, std::vector<float>(width * height)};
  for (size_t i = 0; i < maps.values.size(); ++i) maps.values[i] = static_cast<float>(draws.uniform(i));
  return maps;
}

Image drawn_image(int channels) {
  const Draws draws(3, "prediction files test");
  std::vector<uint8_t> bytes(static_cast<size_t>(width * height * channels));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(draws.below(i, 256));
  return sample_picture(width, height, channels, bytes);
}

void write(const fs::path& folder, const PixelMaps& maps, const FoundObjects& found, const Image* shown) {
  PredictionFiles files(folder, "a", maps.width, maps.height);
  for (size_t y = 0; y < static_cast<size_t>(maps.height); ++y)
    files.add_probability(maps.foreground().subspan(y * maps.width, maps.width));
  files.finish(found, shown);
}

Image decoded(const fs::path& file) {
  const auto bytes = pipeline::read_bytes(file);
  return decode_image(bytes, file.string());
}

// The overlay by its definition.
std::vector<uint8_t> outlined(const LabelMap& map, const Image* shown) {
  std::vector<uint8_t> bytes(map.labels.size() * 3);
  if (shown != nullptr) bytes = to_channels(to_shown(*shown), 3).bytes;
  const auto at = [&](int x, int y) {
    return x < 0 || y < 0 || x == width || y == height ? Label{0} : map.labels[static_cast<size_t>(y * width + x)];
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Label own = at(x, y);
      if (own == 0 || (at(x - 1, y) == own && at(x + 1, y) == own && at(x, y - 1) == own && at(x, y + 1) == own))
        continue;
      uint8_t* pixel = &bytes[static_cast<size_t>(y * width + x) * 3];
      pixel[0] = 255, pixel[1] = 60, pixel[2] = 200;
    }
  }
  return bytes;
}

TEST(PredictionFiles, HoldNumbersProbabilitiesAndOutlines) {
  const PixelMaps maps = drawn();
  const FoundObjects found = find_objects(maps, 0.2, {});
  const LabelMap map = label_map_of(found);
  for (const int channels : {0, 1, 2, 3, 5}) {
    const TemporaryFolder folder;
    const Image image = channels == 0 ? Image{} : drawn_image(channels);
    const Image* shown = channels == 0 ? nullptr : &image;
    write(folder.path(), maps, found, shown);
    EXPECT_EQ(labels_file(folder.path(), "a"), folder.path() / "labels/a.png");
    const Image labels = decoded(folder.path() / "labels/a.png");
    ASSERT_EQ(labels.bits, 16);
    EXPECT_TRUE(
        std::equal(map.labels.begin(), map.labels.end(), reinterpret_cast<const uint16_t*>(labels.bytes.data())));
    const Image probability = decoded(folder.path() / "probability/a.png");
    for (size_t i = 0; i < maps.values.size(); ++i)
      ASSERT_EQ(probability.bytes[i], std::lround(maps.values[i] * 255)) << i;
    EXPECT_EQ(decoded(folder.path() / "overlays/a.png").bytes, outlined(map, shown)) << channels;
  }
}

TEST(PredictionFiles, AreTheBytesThatTheWholePicturesHave) {
  const TemporaryFolder folder;
  const PixelMaps maps = drawn();
  const FoundObjects found = find_objects(maps, 0.5, {});
  write(folder.path(), maps, found, nullptr);
  const LabelMap map = label_map_of(found);
  Image labels{width, height, 1, 16, std::vector<uint8_t>(map.labels.size() * 2)};
  std::memcpy(labels.bytes.data(), narrow_labels(map.labels).data(), labels.bytes.size());
  EXPECT_EQ(pipeline::read_file(folder.path() / "labels/a.png"), encode_png(labels));
  EXPECT_EQ(pipeline::read_file(folder.path() / "overlays/a.png"),
            encode_png({width, height, 3, 8, outlined(map, nullptr)}));
}

TEST(PredictionFiles, MoreObjectsThan16BitsHoldAreNumbersOf32BitsInATiff) {
  constexpr int side = 600;
  PixelMaps maps{side, side, {"mask"}, std::vector<float>(side * side)};
  for (int y = 0; y < side; y += 2)
    for (int x = 0; x < side; x += 2) maps.values[static_cast<size_t>(y * side + x)] = 1;
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "labels/a.png", "of an earlier run");
  const FoundObjects found = find_objects(maps, 0.5, {});
  write(folder.path(), maps, found, nullptr);
  EXPECT_EQ(labels_file(folder.path(), "a"), folder.path() / "labels/a.tif");
  EXPECT_FALSE(fs::exists(folder.path() / "labels/a.png"));
  const auto bytes = pipeline::read_bytes(folder.path() / "labels/a.tif");
  const LabelsImage labels = decode_labels_image(bytes, "a.tif");
  ASSERT_EQ(labels.bits, 32);
  size_t at = 0;
  each_label_row(found, [&](int, std::span<const uint32_t> row) {
    for (const uint32_t label : row) ASSERT_EQ(labels.values[at++], label);
  });
  write(folder.path(), maps, find_objects(maps, 1.5, {}), nullptr);
  EXPECT_EQ(labels_file(folder.path(), "a"), folder.path() / "labels/a.png");
  EXPECT_FALSE(fs::exists(folder.path() / "labels/a.tif"));
}

TEST(PredictionFiles, ThatWereNotFinishedLeaveNothing) {
  const TemporaryFolder folder;
  { PredictionFiles files(folder.path(), "a", 4, 4); }
  EXPECT_TRUE(pipeline::tree_of(folder.path()).empty());
  EXPECT_TRUE(labels_file(folder.path(), "a").empty());
  PredictionFiles files(folder.path(), "a", 4, 4);
  EXPECT_THROW(files.add_probability(std::vector<float>(3)), Error);
}

}  // namespace
}  // namespace penstock::stages
