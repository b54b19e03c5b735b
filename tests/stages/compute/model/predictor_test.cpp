// Models with several outputs, and the ways in which a model looks at a picture.
#include "stages/compute/model/predictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/draws.h"
#include "stages/packs/json_file.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr int side = 16;

ModelDescription two_outputs() {
  ModelDescription model;
  model.architecture = {1, 4, 2, "batch", 0};
  model.architecture.out_channels = 2;
  model.width = model.height = side;
  model.targets = {"mask", "border"};
  model.instances = {4, 3, "watershed", 0.6};
  model.rule.mode = "native";
  return model;
}

void write(const std::filesystem::path& folder, const ModelDescription& model, int64_t seed = 9) {
  const FlatLayout layout = layout_of(*make_network(model.architecture));
  Weights weights;
  initialise(layout, seed, weights.parameters, weights.statistics);
  write_model(folder, model, layout, weights);
}

std::vector<uint8_t> drawn_picture(int width, int height) {
  const Draws draws(4, "predictor test");
  std::vector<uint8_t> bytes;
  for (int i = 0; i < width * height; ++i)
    bytes.push_back(static_cast<uint8_t>(draws.below(static_cast<uint64_t>(i), 256)));
  return bytes;
}

std::vector<uint8_t> mirrored_rows(std::vector<uint8_t> picture, int width) {
  for (auto row = picture.begin(); row != picture.end(); row += width) std::reverse(row, row + width);
  return picture;
}

TEST(ModelFolder, KeepsOutputsDecoderTurnsAndTile) {
  const TemporaryFolder folder;
  ModelDescription model = two_outputs();
  model.turns = "flips", model.tile = 320;
  write(folder.path(), model);
  const ModelDescription read = read_model_description(folder.path());
  EXPECT_EQ(read.targets, model.targets);
  EXPECT_EQ(read.instances, model.instances);
  EXPECT_EQ(read.turns, "flips");
  EXPECT_EQ(read.tile, 320);
  EXPECT_EQ(read.architecture.out_channels, 2);
}

TEST(ModelFolder, RefusesOutputsThatItsDecoderLacksOrThatNobodyKnows) {
  const auto expect_refused = [](const char* what, const auto& change) {
    const TemporaryFolder folder;
    write(folder.path(), two_outputs());
    Value json = read_json(folder.path() / "model.json");
    change(json);
    write_json(folder.path() / "model.json", json);
    try {
      read_model_description(folder.path());
      ADD_FAILURE() << what << " is taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data) << what;
      EXPECT_NE(std::string(error.what()).find("model.json"), std::string::npos) << error.what();
    }
  };
  expect_refused("an unknown output", [](Value& json) { json["outputs"][1]["name"] = "flows"; });
  expect_refused("a missing output", [](Value& json) { json["outputs"].erase(1); });
  expect_refused("a member of another folder", [](Value& json) {
    json["members"] = {"../weights.safetensors"};
    json["digests"]["../weights.safetensors"] = std::string(64, '0');
  });
  expect_refused("a member without a digest", [](Value& json) { json["digests"].clear(); });
  expect_refused("no member", [](Value& json) { json["members"] = Value::array(); });
  expect_refused("a tile that no memory holds", [](Value& json) { json["tile"] = 1 << 20; });
  expect_refused("lists without end", [](Value& json) {
    for (int depth = 0; depth < 5000; ++depth) json["tile"] = Value::array({json["tile"]});
  });
  expect_refused("sides that the network cannot halve", [](Value& json) { json["preprocessing"]["width"] = side + 2; });
  expect_refused("an unknown decoder", [](Value& json) { json["instances"]["decoder"] = "magic"; });
  expect_refused("a decoder without its output", [](Value& json) {
    json["outputs"].erase(1);
    json["architecture"].erase("out_channels");
  });
}

// Where a number of model.json stands, and what may not stand there.
struct BadNumber {
  const char* pointer;
  Value read;
};
void PrintTo(const BadNumber& bad, std::ostream* out) { *out << bad.pointer << " = " << bad.read.dump(); }

class ModelNumber : public testing::TestWithParam<BadNumber> {};

TEST_P(ModelNumber, OutsideOfItsRangeIsRefusedByName) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  Value json = read_json(folder.path() / "model.json");
  const Value::json_pointer pointer(GetParam().pointer);
  json[pointer] = GetParam().read;
  write_json(folder.path() / "model.json", json);
  try {
    read_model_description(folder.path());
    ADD_FAILURE() << "it is taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), testing::HasSubstr("\"" + pointer.back() + "\" is " + GetParam().read.dump()));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, ModelNumber,
    testing::Values(BadNumber{"/architecture/in_channels", 0}, BadNumber{"/architecture/base_channels", -1},
                    BadNumber{"/architecture/base_channels", 1e300}, BadNumber{"/architecture/depth", int64_t{1} << 40},
                    BadNumber{"/architecture/depth", 2.5}, BadNumber{"/architecture/dropout", -1},
                    BadNumber{"/architecture/out_channels", uint64_t{1} << 63},
                    BadNumber{"/architecture/side_outputs", -1}, BadNumber{"/schema", 2},
                    BadNumber{"/preprocessing/channels", 3}, BadNumber{"/preprocessing/width", 0},
                    BadNumber{"/preprocessing/height", 1e9}, BadNumber{"/preprocessing/scale", 0},
                    BadNumber{"/preprocessing/overlap", 1}, BadNumber{"/threshold", 2}, BadNumber{"/threshold", "high"},
                    BadNumber{"/instances/connectivity", 6}, BadNumber{"/instances/minimum_area", -1},
                    BadNumber{"/instances/seed_threshold", nullptr}, BadNumber{"/tile", -64},
                    BadNumber{"/micro_batch", -1}, BadNumber{"/averaged", 1e300}));

TEST(ModelFolder, RefusesWeightsThatAreTooFewForItsArchitectureBeforeANetworkIsMade) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  Value json = read_json(folder.path() / "model.json");
  json["architecture"]["base_channels"] = 512;
  json["architecture"]["depth"] = 7;  // 150 GB
  json["preprocessing"]["width"] = json["preprocessing"]["height"] = 128;
  write_json(folder.path() / "model.json", json);
  try {
    Predictor predictor(folder.path());
    ADD_FAILURE() << "it is taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), testing::HasSubstr("is too short for the architecture of model.json"));
  }
}

// Three models of these seeds, each in a folder of its name, and all together in "all".
void write_together(const std::filesystem::path& folder, const std::vector<int64_t>& seeds) {
  std::vector<std::filesystem::path> models;
  for (const int64_t seed : seeds) {
    models.push_back(folder / std::to_string(seed));
    std::filesystem::create_directories(models.back());
    write(models.back(), two_outputs(), seed);
  }
  std::filesystem::create_directories(folder / "all");
  write_ensemble(models, folder / "all");
}

TEST(Ensemble, SaysTheMeanOfWhatItsMembersSay) {
  const TemporaryFolder folder;
  write_together(folder.path(), {1, 2, 3});
  constexpr int width = 40, height = 23;
  const auto picture = drawn_picture(width, height);
  std::vector<double> mean(2 * width * height);
  for (const char* member : {"1", "2", "3"}) {
    const PixelMaps maps = Predictor(folder.path() / member).on_sample(picture, width, height);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += double{maps.values[i]} / 3;
  }
  const PixelMaps maps = Predictor(folder.path() / "all").on_sample(picture, width, height);
  for (size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(maps.values[i], mean[i], 1e-6) << i;
}

TEST(Ensemble, KeepsItsMembersUnderOtherRulesAndInsideOtherEnsembles) {
  const TemporaryFolder folder;
  write_together(folder.path(), {1, 2});
  ModelDescription model = read_model_description(folder.path() / "all");
  EXPECT_EQ(model.instances, InstanceRules{}) << "what its members' rules were says nothing of theirs together";
  model.threshold = 0.4;
  std::filesystem::create_directories(folder.path() / "other");
  rewrite_model(folder.path() / "all", folder.path() / "other", model);
  const std::vector<std::filesystem::path> models = {folder.path() / "other", folder.path() / "1"};
  std::filesystem::create_directories(folder.path() / "larger");
  write_ensemble(models, folder.path() / "larger");
  EXPECT_EQ(read_model_description(folder.path() / "larger").members.size(), 3u);
  const auto picture = drawn_picture(side, side);
  EXPECT_EQ(Predictor(folder.path() / "other").on_sample(picture, side, side).values,
            Predictor(folder.path() / "all").on_sample(picture, side, side).values);
  EXPECT_NE(Predictor(folder.path() / "larger").on_sample(picture, side, side).values,
            Predictor(folder.path() / "all").on_sample(picture, side, side).values);
}

TEST(Ensemble, RefusesMembersThatDiffer) {
  const TemporaryFolder folder;
  write_together(folder.path(), {1});
  const auto expect_refused = [&](const ModelDescription& other, const std::string& part) {
    std::filesystem::create_directories(folder.path() / part),
        std::filesystem::create_directories(folder.path() / "to");
    write(folder.path() / part, other);
    const std::vector<std::filesystem::path> models = {folder.path() / "1", folder.path() / part};
    try {
      write_ensemble(models, folder.path() / "to");
      ADD_FAILURE() << part << " is taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      EXPECT_NE(std::string(error.what()).find("one " + part), std::string::npos) << error.what();
    }
  };
  ModelDescription other = two_outputs();
  other.architecture.base_channels = 6;
  expect_refused(other, "architecture");
  other = two_outputs();
  other.targets = {"mask", "interior"};
  other.instances = {};
  expect_refused(other, "outputs");
  other = two_outputs();
  other.rule.scale = 2;
  expect_refused(other, "preprocessing");
}

TEST(Ensemble, IsNoSourceOfInitialWeightsAndADamagedMemberIsNamed) {
  const TemporaryFolder folder;
  write_together(folder.path(), {1, 2});
  EXPECT_THROW(weights_file_of(folder.path() / "all"), Error);
  std::filesystem::remove(folder.path() / "all/weights_2.safetensors");
  pipeline::write_file(folder.path() / "all/weights_2.safetensors", std::string("half"));
  try {
    const Predictor predictor(folder.path() / "all");
    ADD_FAILURE() << "it is taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("weights_2.safetensors"), std::string::npos) << error.what();
  }
}

TEST(Predictor, GivesAPlaneATargetForAPictureOfAnySize) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  const Predictor predictor(folder.path());
  for (const auto& [width, height] : {std::pair(16, 16), std::pair(50, 23), std::pair(5, 40)}) {
    const PixelMaps maps = predictor.on_sample(drawn_picture(width, height), width, height);
    EXPECT_EQ(maps.targets.size(), 2u);
    ASSERT_EQ(maps.values.size(), 2u * static_cast<size_t>(width * height));
    EXPECT_NE(std::vector<float>(maps.plane(0).begin(), maps.plane(0).end()),
              std::vector<float>(maps.plane(1).begin(), maps.plane(1).end()));
    const PixelMaps scaled = Predictor::at_size(maps, 2 * width, 2 * height);
    EXPECT_EQ(scaled.values.size(), 4 * maps.values.size());
    EXPECT_NEAR(scaled.plane(1)[0], maps.plane(1)[0], 1e-6);
  }
}

TEST(Predictor, GivesRowByRowWhatItGivesAsAWhole) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  Predictor predictor(folder.path());
  for (const auto& [width, height, tile] :
       {std::tuple(16, 16, 0), std::tuple(50, 23, 0), std::tuple(5, 40, 0), std::tuple(90, 150, 64)}) {
    predictor.set_views("all", tile);
    const auto picture = drawn_picture(width, height);
    for (const int factor : {1, 2}) {
      const PixelMaps whole =
          Predictor::at_size(predictor.on_sample(picture, width, height), factor * width, factor * height);
      int rows = 0;
      predictor.on_rows(picture, {width, height}, {whole.width, whole.height}, [&](int y, std::span<const float> row) {
        ASSERT_EQ(y, rows++);
        for (size_t p = 0; p < 2; ++p) {
          const auto expected = whole.plane(p).subspan(static_cast<size_t>(y * whole.width), whole.width);
          EXPECT_TRUE(std::equal(expected.begin(), expected.end(), row.begin() + p * whole.width));
        }
      });
      EXPECT_EQ(rows, whole.height);
    }
  }
}

TEST(Predictor, ShowsTheNetworkAPictureThatATileHoldsAsOnePiece) {
  const TemporaryFolder folder, as_a_whole;
  constexpr int width = 60, height = 40;
  write(folder.path(), two_outputs());
  ModelDescription whole = two_outputs();
  whole.width = width, whole.height = height;
  write(as_a_whole.path(), whole);
  Predictor predictor(folder.path());
  const auto picture = drawn_picture(width, height);
  const auto expected = Predictor(as_a_whole.path()).on_sample(picture, width, height).values;
  EXPECT_NE(predictor.on_sample(picture, width, height).values, expected) << "in tiles of the crop's size";
  predictor.set_views("none", 64);
  EXPECT_EQ(predictor.on_sample(picture, width, height).values, expected);
}

TEST(Predictor, FillsUpAPictureThatIsNoMultipleOfWhatTheNetworkHalves) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  Predictor predictor(folder.path());
  predictor.set_views("all", 64);
  for (const auto& [width, height] : {std::pair(61, 39), std::pair(3, 130), std::pair(65, 64)}) {
    const PixelMaps maps = predictor.on_sample(drawn_picture(width, height), width, height);
    ASSERT_EQ(maps.values.size(), 2u * static_cast<size_t>(width * height));
    EXPECT_TRUE(std::ranges::all_of(maps.values, [](float p) { return p > 0 && p < 1; }));
  }
}

// A grey picture of a model for colours need not lie in memory three times.
TEST(Predictor, OneChannelOfAModelOfThreeStandsForThreeEqualOnes) {
  constexpr int width = 37, height = 25;
  const auto grey = drawn_picture(width, height);
  std::vector<uint8_t> repeated;
  for (const uint8_t value : grey) repeated.insert(repeated.end(), 3, value);
  for (const Normaliser& normaliser :
       {Normaliser{}, Normaliser{"zscore", {0.1, 0.4, 0.7}, {0.2, 0.3, 0.4}}, Normaliser{"percentile", {}, {}, 1, 99},
        Normaliser{"percentile", {}, {}, 3, 61}}) {
    const TemporaryFolder folder;
    ModelDescription model = two_outputs();
    model.architecture.in_channels = 3;
    model.normaliser = normaliser;
    write(folder.path(), model);
    const Predictor predictor(folder.path());
    EXPECT_EQ(predictor.on_sample(grey, width, height).values, predictor.on_sample(repeated, width, height).values)
        << normaliser.kind;
    EXPECT_THROW(predictor.on_sample(std::vector<uint8_t>(2 * grey.size()), width, height), Error);
  }
}

// A direction is mirrored with the picture, and changes places with the other when lines become columns.
TEST(Predictor, SaysOfBytesIn16BitsWhatItSaysOfTheBytes) {
  constexpr int width = 40, height = 24;
  for (const char* kind : {"unit", "percentile"}) {
    const TemporaryFolder folder;
    ModelDescription model = two_outputs();
    model.normaliser.kind = kind;
    write(folder.path(), model);
    const Predictor predictor(folder.path());
    const auto picture = drawn_picture(width, height), wide = widened(picture);
    EXPECT_EQ(predictor.on_sample({wide, 16}, width, height).values, predictor.on_sample(picture, width, height).values)
        << kind;
  }
}

TEST(Predictor, WithTurnsATurnedPictureHasTurnedDirections) {
  const TemporaryFolder folder;
  ModelDescription model = two_outputs();
  model.architecture.out_channels = 3;
  model.targets = {"mask", "horizontal", "vertical"};
  model.instances = {};
  write(folder.path(), model);
  Predictor predictor(folder.path());
  predictor.set_views("all", 0);
  const auto picture = drawn_picture(side, side), mirror = mirrored_rows(picture, side);
  std::vector<uint8_t> transposed(picture.size());
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) transposed[x * side + y] = picture[y * side + x];
  const PixelMaps one = predictor.on_sample(picture, side, side), mirrored = predictor.on_sample(mirror, side, side),
                  turned = predictor.on_sample(transposed, side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const auto at = static_cast<size_t>(y * side + x), at_mirror = static_cast<size_t>(y * side + side - 1 - x),
                 at_turned = static_cast<size_t>(x * side + y);
      EXPECT_NEAR(mirrored.plane(1)[at_mirror], 1 - one.plane(1)[at], 1e-5);
      EXPECT_NEAR(mirrored.plane(2)[at_mirror], one.plane(2)[at], 1e-5);
      EXPECT_NEAR(turned.plane(2)[at_turned], one.plane(1)[at], 1e-5);
      EXPECT_NEAR(turned.plane(1)[at_turned], one.plane(2)[at], 1e-5);
    }
  }
}

// What is averaged over all mirrored views does not depend on which of them is the picture.
TEST(Predictor, WithFlipsAMirroredPictureIsPredictedMirrored) {
  const TemporaryFolder folder;
  write(folder.path(), two_outputs());
  Predictor predictor(folder.path());
  const auto picture = drawn_picture(side, side), mirror = mirrored_rows(picture, side);
  const auto distance = [&] {
    const PixelMaps one = predictor.on_sample(picture, side, side), other = predictor.on_sample(mirror, side, side);
    float largest = 0;
    for (int y = 0; y < 2 * side; ++y) {
      for (int x = 0; x < side; ++x)
        largest = std::max(largest, std::abs(one.values[static_cast<size_t>(y * side + x)] -
                                             other.values[static_cast<size_t>(y * side + side - 1 - x)]));
    }
    return largest;
  };
  EXPECT_GT(distance(), 1e-3);
  predictor.set_views("flips", 0);
  EXPECT_LT(distance(), 1e-5);
  predictor.set_views("all", 0);
  EXPECT_LT(distance(), 1e-5);
}

}  // namespace
}  // namespace penstock::stages
