// Samples at their own size: from files through resize, inspect and shard into memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "pipeline/files.h"
#include "stages/compute/data/hdf5_file.h"
#include "stages/compute/data/object_scale.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/shard_columns.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/data/shard_samples.h"
#include "stages/context.h"
#include "stages/images/image_codec.h"
#include "stages/images/pixel_values.h"
#include "stages/images/png_codec.h"
#include "stages/packs/json_file.h"
#include "stages/packs/sample_pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::ElementsAre;
using testing::HasSubstr;

// A picture whose pixels differ, and masks of one disc each.
Image picture(int width, int height, int channels) {
  Image image{width, height, channels, 8, {}};
  for (size_t i = 0; i < image.values(); ++i) image.bytes.push_back(static_cast<uint8_t>(i * 7 + i / 251));
  return image;
}
Image disc(int width, int height, double x0, double y0, double radius) {
  Image mask{width, height, 1, 8, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) mask.bytes.push_back(std::hypot(x - x0, y - y0) < radius ? 255 : 0);
  }
  return mask;
}

class NativeSamples : public testing::Test {
 protected:
  void SetUp() override {
    add("wide", 300, 120);
    add("tall", 40, 90);
    write("plain/images/plain.png", picture(64, 48, 1));  // without masks
    images_ = bench_.run("unzip", {{"archive", {folder()}}}).at("images");
  }
  std::filesystem::path folder() const { return bench_.path() / "pictures"; }
  void write(const std::string& name, const Image& image) { pipeline::write_file(folder() / name, encode_png(image)); }
  void add(const std::string& id, int width, int height) {
    write(id + "/images/" + id + ".png", picture(width, height, 3));
    write(id + "/masks/1.png", disc(width, height, 10, 10, 8));
    write(id + "/masks/2.png", disc(width, height, 30, 30, 8));
  }
  Outputs shards_of(const pipeline::Values& values) {
    pipeline::Values all = {{"mode", "native"}};
    for (const auto& [key, value] : values) all[key] = value;
    samples_ = bench_.run("resize", {{"images", {images_}}}, all).at("samples");
    return bench_.run("shard", {{"samples", {samples_}}});
  }

  Bench bench_;
  std::filesystem::path images_, samples_;
};

TEST_F(NativeSamples, ComeBackFromTheShardsPixelForPixel) {
  const auto shards = shards_of({}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  EXPECT_EQ(index.rule.mode, "native");
  EXPECT_EQ(index.rule.scale, 1);
  EXPECT_EQ(index.rule.width, 0) << "there is no grid";
  EXPECT_TRUE(index.others.at("samples").empty()) << "they are records, not a tree";
  EXPECT_EQ(index.samples.size(), 3u);
  EXPECT_FALSE(index.record("plain").labelled);
  const auto samples = read_samples(shards, index, {"wide", "plain", "tall"}, Truth::native_labels);
  EXPECT_EQ(samples[0].image, picture(300, 120, 3).bytes);
  EXPECT_EQ(samples[0].width, 300);
  EXPECT_EQ(samples[0].height, 120);
  EXPECT_EQ(samples[1].image, to_channels(picture(64, 48, 1), 3).bytes);
  EXPECT_TRUE(samples[1].mask.empty());
  EXPECT_EQ(samples[2].image, picture(40, 90, 3).bytes);
  EXPECT_EQ(samples[2].labels.objects(), 2);
  ASSERT_EQ(samples[2].mask.size(), samples[2].labels.labels.size());
  for (size_t i = 0; i < samples[2].mask.size(); ++i) EXPECT_EQ(samples[2].mask[i], samples[2].labels.labels[i] != 0);
}

// Also on a grid, and with the objects of masks.
TEST_F(NativeSamples, OneAtATimeAreTheSameAsTogether) {
  for (const bool grid : {false, true}) {
    const auto shards =
        grid ? shards_of({{"mode", "squash"}, {"width", 32}, {"height", 16}}).at("shards") : shards_of({}).at("shards");
    const ShardIndex index = read_shard_index(shards);
    const std::vector<std::string> ids = {"wide", "plain", "tall"};
    for (const Truth truth : {Truth::masks, Truth::objects}) {
      const auto together = read_samples(shards, index, ids, truth);
      ShardSamples alone(shards, index, ids, truth);
      ASSERT_EQ(alone.size(), 3);
      for (const int i : {2, 0, 1, 0}) {
        const GridSample &header = alone.header(i), &expected = together[static_cast<size_t>(i)];
        EXPECT_EQ(header.id, expected.id);
        EXPECT_EQ(header.width, expected.width);
        EXPECT_EQ(header.height, expected.height);
        const StoredPixels stored = alone.read(i);
        EXPECT_EQ(stored.image, expected.image);
        EXPECT_EQ(stored.mask, expected.mask);
        EXPECT_EQ(stored.objects, expected.objects);
        EXPECT_EQ(stored.bytes(), alone.bytes_of(i));
      }
    }
  }
}

// The fixture's pictures have 8 bits; "deep" has 16.
class DeepSamples : public NativeSamples {
 protected:
  void SetUp() override {
    NativeSamples::SetUp();
    write("deep/images/deep.png", deep_);
    write("deep/masks/1.png", disc(50, 40, 10, 10, 8));
    images_ = bench_.run("unzip", {{"archive", {folder()}}}).at("images");
  }
  static Image made() {
    std::vector<uint16_t> values;
    for (int i = 0; i < 50 * 40; ++i) values.push_back(static_cast<uint16_t>(i * 32 + i % 7));
    Image image{50, 40, 1, 16, std::vector<uint8_t>(values.size() * sizeof(uint16_t))};
    std::memcpy(image.bytes.data(), values.data(), image.bytes.size());
    return image;
  }

  const Image deep_ = made();
  const std::vector<std::string> ids_ = {"deep", "tall", "plain", "wide"};
};

TEST_F(DeepSamples, KeepTheirBitsAndOthersBesideThemHaveAsMany) {
  for (const bool grid : {false, true}) {
    const auto shards =
        (grid ? shards_of({{"mode", "squash"}, {"width", 50}, {"height", 40}}) : shards_of({})).at("shards");
    const ShardIndex index = read_shard_index(shards);
    EXPECT_EQ(index.bits, 16);
    EXPECT_EQ(index.others.at("input").at("bits"), "kept");
    const auto samples = read_samples(shards, index, ids_, Truth::masks);
    EXPECT_EQ(samples[0].image, to_channels(deep_, 3).bytes);
    if (!grid) {
      EXPECT_EQ(samples[1].image, widened(picture(40, 90, 3).bytes));
    }
    EXPECT_EQ(samples[3].mask.size() * 6, samples[3].image.size());
    ShardSamples alone(shards, index, ids_, Truth::masks);
    for (const int i : {2, 0, 3, 1}) {
      const StoredPixels stored = alone.read(i);
      EXPECT_EQ(stored.image, samples[static_cast<size_t>(i)].image);
      EXPECT_EQ(stored.bytes(), alone.bytes_of(i));
    }
    EXPECT_EQ(Hdf5Reader(shards / index.files.at(0)).element("images"), Element::u16);
    const Value sets = read_json(shards / "dataset.json").at("data_sets");
    EXPECT_EQ(sets.at(0).at("type"), "uint16");
  }
}

TEST_F(DeepSamples, AreBroughtTo8WhereThatIsAskedFor) {
  const auto shards = shards_of({{"bits", 8}}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  EXPECT_EQ(index.bits, 8);
  EXPECT_FALSE(index.others.contains("input"));
  EXPECT_EQ(read_samples(shards, index, ids_, Truth::masks)[0].image, to_channels(to_8_bit(deep_), 3).bytes);
}

TEST_F(DeepSamples, LeaveNoTraceInDataOf8Bits) {
  std::filesystem::remove_all(folder() / "deep");
  images_ = bench_.run("unzip", {{"archive", {folder()}}}).at("images");
  const ShardIndex index = read_shard_index(shards_of({}).at("shards"));
  EXPECT_EQ(index.bits, 8);
  EXPECT_FALSE(index.others.contains("input")) << index.others.dump();
}

TEST_F(NativeSamples, ThatCannotBeReadAreNamedWithTheirFile) {
  const auto shards = shards_of({}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  ShardSamples alone(shards, index, {"wide"}, Truth::masks);
  const auto file = shards / index.files.at(index.record("wide").file);
  std::string bytes = pipeline::read_file(file);
  const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(picture(300, 120, 3).bytes.data()), 64));
  ASSERT_NE(at, std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  std::filesystem::remove(file);
  pipeline::write_file(file, bytes);
  try {
    alone.read(0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(),
                HasSubstr(file.filename().string() + ": data set 'images' cannot be read: its checksum is "
                                                     "wrong (sample 'wide')"));
  }
  EXPECT_THROW(ShardSamples(shards, index, {"nobody"}, Truth::masks), Error);
}

TEST_F(NativeSamples, AreDescribedWhereTheyLie) {
  const auto shards = shards_of({}).at("shards");
  const std::string page = pipeline::read_file(shards / "DATASET.md");
  EXPECT_THAT(page, HasSubstr("3 samples, each of its own size (1 sample pixels per native pixel)"));
  EXPECT_THAT(page, HasSubstr("`image_offset`"));
  const Value index = read_json(shards / "index.json");
  EXPECT_FALSE(index.contains("width"));
  EXPECT_EQ(index.at("samples").at(2).at("grid_width"), 300);
  const Hdf5Reader file(shards / index.at("samples").at(0).at("file").get<std::string>());
  EXPECT_EQ(file.shape("images"), (std::vector<uint64_t>{300 * 120 + 40 * 90 + 64 * 48, 3}));
  EXPECT_EQ(file.shape("image_offset"), std::vector<uint64_t>{4});
}

TEST_F(NativeSamples, MayBeScaledByOneFactor) {
  const auto shards = shards_of({{"scale", 0.5}, {"channels", 1}, {"mask_coverage", 0.6}}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  EXPECT_EQ(index.rule.scale, 0.5);
  const auto samples = read_samples(shards, index, {"tall"}, Truth::native_labels);
  EXPECT_EQ(samples[0].width, 20);
  EXPECT_EQ(samples[0].height, 45);
  EXPECT_EQ(samples[0].image, to_grid(to_channels(picture(40, 90, 3), 1), 20, 45).bytes);
  EXPECT_EQ(samples[0].mask, mask_on_grid(samples[0].labels, 20, 45, 0.6));
  EXPECT_EQ(samples[0].labels.width, 40) << "label maps stay native";
}

TEST_F(NativeSamples, MayBeScaledToAWantedDiameterOfTheirObjects) {
  const auto shards = shards_of({{"object_diameter", 32.0}}).at("shards");
  AreaCounts counts;
  const ShardIndex index = read_shard_index(shards);
  for (const GridSample& sample : read_samples(shards, index, {"wide", "tall"}, Truth::native_labels))
    count_areas(sample.labels, counts);
  EXPECT_NEAR(index.rule.scale, 2, 0.1) << "discs of about 16 pixels";
  EXPECT_EQ(index.rule.scale, scale_for_diameter(32, counts));
  EXPECT_EQ(read_json(samples_ / "samples.json").at("scale"), index.rule.scale);
}

TEST_F(NativeSamples, FitScalesEachPictureAndKeepsItsShape) {
  const auto shards = shards_of({{"mode", "fit"}, {"width", 100}, {"height", 60}}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  EXPECT_EQ(index.rule, (SampleRule{"fit", 100, 60, 1}));
  const auto samples = read_samples(shards, index, {"wide", "tall", "plain"}, Truth::native_labels);
  std::vector<std::pair<int, int>> sizes;
  for (const GridSample& sample : samples) sizes.emplace_back(sample.width, sample.height);
  EXPECT_THAT(sizes, ElementsAre(std::pair(100, 40), std::pair(27, 60), std::pair(80, 60)));  // the last is enlarged
  EXPECT_EQ(samples[0].image, to_grid(picture(300, 120, 3), 100, 40).bytes);
  EXPECT_EQ(samples[0].labels.width, 300) << "the truth stays native";
}

TEST_F(NativeSamples, KeepMoreObjectsThan16BitsTellApart) {
  constexpr int side = 520, objects = side * side / 4;
  Image dots{side, side, 1, 8, std::vector<uint8_t>(side * side)};
  for (int y = 0; y < side; y += 2)
    for (int x = 0; x < side; x += 2) dots.bytes[static_cast<size_t>(y * side + x)] = 255;
  const auto many = bench_.path() / "many";
  pipeline::write_file(many / "dots/images/dots.png", encode_png(picture(side, side, 3)));
  pipeline::write_file(many / "dots/masks/dots.png", encode_png(dots));
  images_ = bench_.run("unzip", {{"archive", {many}}}).at("images");
  const auto shards = shards_of({{"masks", "binary"}}).at("shards");
  const ShardIndex index = read_shard_index(shards);
  const auto native = read_samples(shards, index, {"dots"}, Truth::native_labels);
  EXPECT_EQ(native[0].labels.objects(), objects);
  EXPECT_EQ(native[0].labels.labels[side * side - side - 2], static_cast<Label>(objects));
  const auto training = read_samples(shards, index, {"dots"}, Truth::objects);
  EXPECT_EQ(training[0].objects[side * side - side - 2], objects - 65535) << "in 16 bits";
  EXPECT_THAT(pipeline::read_file(shards / "dataset.json"), HasSubstr("or uint32 in a file with a sample of more"));
  EXPECT_EQ(ShardSamples(shards, index, {"dots"}, Truth::objects).read(0).objects, training[0].objects);
}

TEST_F(NativeSamples, WithoutAnObjectNoScaleIsMadeUp) {
  std::filesystem::remove_all(folder() / "wide/masks");
  std::filesystem::remove_all(folder() / "tall/masks");
  images_ = bench_.run("unzip", {{"archive", {folder()}}}).at("images");
  try {
    shards_of({{"object_diameter", 32.0}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("no image has a labelled object; give resize.scale instead"));
  }
}

TEST_F(NativeSamples, AreInspectedAndShownReduced) {
  add("large", 1500, 700);
  images_ = bench_.run("unzip", {{"archive", {folder()}}}).at("images");
  shards_of({});
  const Outputs found = bench_.run("inspect", {{"images", {images_}}, {"samples", {samples_}}});
  EXPECT_TRUE(read_json(found.at("summary") / "verdict.json").at("passed").get<bool>());
  EXPECT_EQ(read_json(found.at("summary") / "summary.json").at("grid").at("mode"), "native");
  const std::string bytes = pipeline::read_file(found.at("gallery") / "large-image.png");
  const Image shown = decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "large-image.png");
  EXPECT_EQ(shown.width, 500);
  EXPECT_EQ(shown.height, 234);
}

TEST(ShardColumns, ALargeSampleIsAFileOfItsOwn) {
  const auto columns = make_shard_columns({{"mode", "native"}, {"scale", 1}, {"channels", 3}});
  const auto record = [](int side) {
    return Value{{"id", "x"},      {"grid_height", side}, {"grid_width", side},
                 {"height", side}, {"width", side},       {"labelled", false}};
  };
  EXPECT_FALSE(columns->is_full_for(record(9000))) << "an empty file takes it, however large";
  TemporaryFolder folder;
  PackWriter writer("samples");
  const std::vector<uint8_t> image(100 * 100 * 3);
  writer.add(pack_entry::image("x"), Element::u8, {100, 100, 3}, image);
  writer.close_sample("x", Value::object());
  writer.write(folder.path() / "pack");
  columns->add(record(100), Pack(folder.path() / "pack"));
  EXPECT_FALSE(columns->is_full_for(record(4000)));
  EXPECT_TRUE(columns->is_full_for(record(4096))) << "64 MiB with what is there, and some more";
}

}  // namespace
}  // namespace penstock::stages
