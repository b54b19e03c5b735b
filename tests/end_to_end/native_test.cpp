// Samples at their own size, from the archive to a trained model: the same bits at any rank count, and after a kill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "training_job.h"

namespace penstock {
namespace {

using testing::HasSubstr;

// The small pipeline without a grid: pictures of 128 to 256 pixels a side, made smaller, in crops of 32, up to the
// model.
std::string native_pipeline(const std::string& size = "mode = \"native\"\nscale = 0.5") {
  std::string text =
      changed_pipeline({{"targets = [\"report\"]", "targets = [\"train\", \"inspect\"]"},
                        {"count = 96", "count = 24"},
                        {"width = 32\nheight = 32", size},
                        {"epochs = 4", "epochs = 2\ncrop = 32\nforeground = 0.3\ntargets = [\"mask\", \"border\"]"}});
  text.erase(text.find("[stage.eval]"));
  return text;
}

std::map<std::string, std::string> published_by(int ranks) {
  const Workplace place(native_pipeline());
  const Ran ran = place.penstock("run pipeline.toml", ranks);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("crops of 32 x 32 an epoch"));
  return place.published();
}

TEST(Native, OneTwoAndThreeRanksTrainTheSameModel) {
  const auto one = published_by(1);
  EXPECT_TRUE(one.count("train.model") && one.count("shard.shards") && one.count("inspect.gallery"));
  EXPECT_EQ(one, published_by(2));
  EXPECT_EQ(one, published_by(3));
}

TEST(Native, AKilledTrainingEndsWithTheModelOfAnUnbrokenOne) {
  const auto prepare = [](const Workplace& place) {
    place.write("pipeline.toml", native_pipeline());
    EXPECT_EQ(place.penstock("run pipeline.toml --until split", 2).code, 0);
  };
  const char* flags = "run pipeline.toml --set train.checkpoint_seconds=0";
  const TrainingPlace unbroken, broken;
  prepare(unbroken);
  prepare(broken);
  EXPECT_EQ(unbroken.penstock(flags, 2).code, 0);
  {
    Process job("export PENSTOCK_WATCHDOG=600; " + gate_at(20) + broken.program(2) + flags, broken.path());
    ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(broken.path() / "at-gate-0") || !job.running(); }));
    const pid_t victim = process_of_rank(job, 1);
    ASSERT_GT(victim, 0);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    EXPECT_EQ(job.wait().code, 128 + SIGKILL);
  }
  const Ran resumed = broken.penstock(flags, 3);
  EXPECT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_THAT(resumed.error, HasSubstr("resuming at"));
  EXPECT_EQ(broken.published(), unbroken.published());
}

// The archive that synthesize made.
std::filesystem::path made_archive(const Workplace& place) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().extension() == ".zip") return entry.path();
  }
  ADD_FAILURE() << "no archive";
  return {};
}

// Two outputs, objects from seeds, rules that are chosen on validation, and tiles looked at in all ways.
std::string with_eval(std::string text) {
  text.replace(text.find("[\"train\", \"inspect\"]"), 20, "[\"eval\"]");
  text +=
      "[stage.eval]\ninputs = { model = \"train.model\", shards = \"shard.shards\", split = \"split.index\" }\n"
      "minimum_area = \"validation\"\nholes = \"fill\"\nturns = \"all\"\ntile = 96\n";
  return text;
}

// `pictures`: a folder of them; empty: those that synthesize makes.
void expect_predict_says_what_eval_says(const Workplace& place, std::string pictures = "") {
  const std::string input = pictures.empty() ? "" : " --input unzip.archive=" + pictures;
  const Ran ran = place.penstock("run pipeline.toml --set train.epochs=6" + input, 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  if (pictures.empty()) pictures = "'" + made_archive(place).string() + "'";
  const auto evaluated = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_EQ(evaluated.at("instances").at("decoder"), "watershed");
  EXPECT_TRUE(evaluated.at("instances").contains("seed_threshold"));
  EXPECT_EQ(evaluated.at("instances").at("holes"), "fill");
  const Ran again = place.penstock("predict runs/small " + pictures + " --output predicted", 3);
  ASSERT_EQ(again.code, 0) << again.error;
  const auto all = nlohmann::json::parse(text_of(place.path() / "predicted/metrics.json")).at("all").at("native");
  for (const char* figure : {"objects_true", "objects_predicted", "missed", "extra"}) {
    int64_t sum = 0;
    for (const char* subset : {"train", "validation", "test"})
      sum += evaluated.at(subset).at("native").at(figure).get<int64_t>();
    EXPECT_EQ(all.at(figure), sum) << figure;
  }
  EXPECT_GT(all.at("objects_predicted").get<int64_t>(), 0);
}

TEST(Native, PredictSaysOfAPictureWhatEvalSaidOfIt) {
  expect_predict_says_what_eval_says(Workplace(with_eval(native_pipeline())));
}

TEST(Native, PredictSaysOfAPictureThatWasMadeToFitWhatEvalSaidOfIt) {
  const std::string fit = "mode = \"fit\"\nwidth = 96\nheight = 64";
  expect_predict_says_what_eval_says(Workplace(with_eval(native_pipeline(fit))));
}

// Grey, of 16 bits, not compressed.
std::string grey_tiff(int side, const std::vector<uint16_t>& values) {
  std::string file;
  const auto add = [&file](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<char>(value >> 8 * i));
  };
  const auto sides = static_cast<uint32_t>(side), bytes = static_cast<uint32_t>(values.size() * 2);
  const std::vector<std::pair<uint32_t, uint32_t>> tags = {
      {256, sides}, {257, sides}, {258, 16}, {259, 1}, {262, 1}, {273, 8}, {277, 1}, {278, sides}, {279, bytes}};
  file = "II*";
  add(0, 1), add(8 + bytes, 4);
  for (const uint16_t value : values) add(value, 2);
  add(static_cast<uint32_t>(tags.size()), 2);
  for (const auto& [tag, value] : tags) add(tag, 2), add(4, 2), add(1, 4), add(value, 4);
  add(0, 4);
  return file;
}

// Eight discs, one in a thousand pixels a bright speck, and all else within three of 256 levels.
void write_deep_pictures(const Workplace& place, int count) {
  constexpr int side = 96;
  for (const char* folder : {"deep/images", "deep/masks"}) std::filesystem::create_directories(place.path() / folder);
  for (int n = 0; n < count; ++n) {
    std::vector<uint16_t> picture, labels;
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const int row = y / 24, column = x / 48, down = y % 24 - 11 - n % 3, right = x % 48 - 20 - n % 5;
        const bool inside = down * down + right * right < 60 + n;
        labels.push_back(static_cast<uint16_t>(inside ? 1 + row * 2 + column : 0));
        const int grain = (x * 7 + y * 13 + n * 5) % 11, speck = (x * 31 + y * 17 + n) % 833 == 0;
        picture.push_back(static_cast<uint16_t>(speck != 0 ? 60000 : (inside ? 600 : 300) + grain * 10));
      }
    }
    const std::string name = std::to_string(n) + ".tif";
    place.write("deep/images/" + name, grey_tiff(side, picture));
    place.write("deep/masks/" + name, grey_tiff(side, labels));
  }
}

TEST(Native, PredictSaysOfPicturesOf16BitsWhatEvalSaidOfThem) {
  std::string text = with_eval(native_pipeline("mode = \"native\"\nchannels = 1\nmasks = \"labels\""));
  text.insert(text.find("crop = 32"), "normalise = \"percentile\"\n");
  const Workplace place(text);
  write_deep_pictures(place, 24);
  expect_predict_says_what_eval_says(place, "deep");
  EXPECT_THAT(text_of(place.path() / "runs/small/model/model.json"), HasSubstr("\"bits\": \"kept\""));
}

// What is planned of the steps is what is trained.
TEST(Native, ThePlanCountsTheCropsThatTrainingTakes) {
  const Workplace place(native_pipeline());
  EXPECT_THAT(place.penstock("plan pipeline.toml --world 2").out, HasSubstr("samples keep their own size"));
  ASSERT_EQ(place.penstock("run pipeline.toml --set train.epochs=1", 2).code, 0);
  const Ran ran = place.penstock("plan pipeline.toml --json --world 2 --set train.epochs=1");
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto planned = nlohmann::json::parse(ran.out).at("world").at("trainings").at(0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().filename() != "curves.json") continue;
    const auto curves = nlohmann::json::parse(text_of(entry.path()));
    EXPECT_EQ(planned.at("steps_per_epoch"), curves.at("steps_per_epoch"));
    EXPECT_GT(curves.at("steps_per_epoch").get<int>(), 8) << "more crops than the 14 samples would give";
  }
  EXPECT_THAT(planned.at("samples_from").get<std::string>(), HasSubstr("crops of the"));
}

}  // namespace
}  // namespace penstock
