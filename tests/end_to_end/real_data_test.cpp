// Real micrographs: the sample of the 2018 Data Science Bowl, where the test data is at hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "workplace.h"

namespace penstock {
namespace {

std::filesystem::path sample_archive() {
  const char* given = std::getenv("PENSTOCK_TEST_DATA");
  const std::filesystem::path folder =
      given != nullptr ? std::filesystem::path(given) : std::filesystem::path(PENSTOCK_SOURCE_DIR) / "../shared/data";
  return std::filesystem::weakly_canonical(folder / "dsb2018_sample.zip");
}

#define SKIP_WITHOUT_DATA()                       \
  if (!std::filesystem::exists(sample_archive())) \
  GTEST_SKIP() << "not run: " << sample_archive() << " is absent (set PENSTOCK_TEST_DATA)"

std::string real_pipeline() {
  std::string config = small_pipeline;
  const auto cut = [&](const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    config.replace(at, config.find(to, at) - at, "");
  };
  cut("[stage.synthesize]", "[stage.unzip]");
  config.replace(config.find("\"synthesize.archive\""), 20, "\"file:" + sample_archive().string() + "\"");
  config.replace(config.find("width = 32"), 10, "width = 64");
  config.replace(config.find("height = 32"), 11, "height = 64");
  return config;
}

TEST(RealData, TheSampleArchiveBecomesAReportOnTwoRanks) {
  SKIP_WITHOUT_DATA();
  Workplace place(real_pipeline());
  const Ran ran = place.penstock(
      "run pipeline.toml --set train.epochs=20 --set train.lr=1e-2 --set train.base_channels=8 --set "
      "train.global_batch=4",
      2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto metrics = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  EXPECT_GT(metrics.at("validation").at("grid").at("micro").at("dice").get<double>(), 0.5);
  const std::string report = text_of(place.path() / "runs/small/report.html");
  EXPECT_THAT(report, testing::HasSubstr("958")) << "nuclei, as the archive's own description says";
}

// The same images, once through the stages and once from the archive: equal native counts.
TEST(RealData, PredictAndEvalGiveTheSameNumbers) {
  SKIP_WITHOUT_DATA();
  Workplace place(real_pipeline());
  ASSERT_EQ(place.penstock("run pipeline.toml --set train.epochs=3").code, 0);
  const Ran ran = place.penstock("predict runs/small '" + sample_archive().string() + "' --output predicted", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto evaluated = nlohmann::json::parse(text_of(place.path() / "runs/small/metrics.json"));
  const auto predicted = nlohmann::json::parse(text_of(place.path() / "predicted/metrics.json"));
  int64_t truth = 0, found = 0, missed = 0, extra = 0;
  for (const char* subset : {"train", "validation", "test"}) {
    const auto& native = evaluated.at(subset).at("native");
    truth += native.at("objects_true").get<int64_t>(), found += native.at("objects_predicted").get<int64_t>();
    missed += native.at("missed").get<int64_t>(), extra += native.at("extra").get<int64_t>();
  }
  const auto& all = predicted.at("all").at("native");
  EXPECT_EQ(all.at("objects_true"), truth);
  EXPECT_EQ(all.at("objects_predicted"), found);
  EXPECT_EQ(all.at("missed"), missed);
  EXPECT_EQ(all.at("extra"), extra);
  EXPECT_EQ(truth, 958);
}

}  // namespace
}  // namespace penstock
