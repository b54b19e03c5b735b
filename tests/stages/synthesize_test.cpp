#include <gtest/gtest.h>

#include <set>

#include "context.h"
#include "pipeline/files.h"
#include "stages/archives/archive.h"
#include "stages/archives/catalogue.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

std::string archive(Bench& bench, const pipeline::Values& values) {
  return pipeline::read_file(bench.run("synthesize", {}, values).at("archive") / "archive.zip");
}

TEST(Synthesize, TheSameSeedGivesTheSameBytesAndAnotherOthers) {
  Bench bench;
  const std::string one = archive(bench, {{"count", 4}, {"seed", 1}});
  EXPECT_EQ(one, archive(bench, {{"count", 4}, {"seed", 1}}));
  EXPECT_NE(one, archive(bench, {{"count", 4}, {"seed", 2}}));
}

TEST(Synthesize, ImagesDifferInSizeAndLookAndMasksFit) {
  Bench bench;
  const auto outputs = bench.run("synthesize", {}, {{"count", 24}, {"seed", 3}});
  const auto archives = open_archives(outputs.at("archive") / "archive.zip", {});
  std::set<std::pair<int, int>> sizes;
  std::set<bool> dark;
  for (const CataloguedSample& sample : make_catalogue(archives).samples) {
    const Image image = decode_image(archives[0]->read(sample.image.entry), sample.id);
    sizes.emplace(image.width, image.height);
    dark.insert(image.bytes[0] < 128);
    ASSERT_GE(sample.masks.size(), 1u);
    for (const FileReference& mask : sample.masks) {
      const Image decoded = decode_image(archives[0]->read(mask.entry), sample.id);
      EXPECT_EQ(decoded.width, image.width);
      EXPECT_EQ(decoded.height, image.height);
    }
  }
  EXPECT_GE(sizes.size(), 3u);
  EXPECT_EQ(dark.size(), 2u) << "dark and light backgrounds";
}

TEST(Synthesize, MayLeaveMasksOut) {
  Bench bench;
  const auto outputs = bench.run("synthesize", {}, {{"count", 20}, {"unlabelled", 0.5}});
  int without = 0;
  for (const CataloguedSample& sample :
       make_catalogue(open_archives(outputs.at("archive") / "archive.zip", {})).samples)
    without += sample.masks.empty();
  EXPECT_GT(without, 2);
  EXPECT_LT(without, 18);
}

}  // namespace
}  // namespace penstock::stages
