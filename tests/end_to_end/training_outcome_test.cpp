// What a training publishes, or refuses to, when there is nothing to choose by or nothing worth choosing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

nlohmann::json curves_of(const Workplace& place) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / ".penstock/objects")) {
    if (entry.path().filename() == "curves.json") return nlohmann::json::parse(text_of(entry.path()));
  }
  return nullptr;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(TrainingOutcome, WithoutValidationNothingIsCalledThatAndTheLastEpochIsPublished) {
  const Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --set split.validation=0 --set train.early_stopping.patience=1", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(count_of(ran.error, "there is no validation subset"), 1u) << ran.error;
  EXPECT_THAT(ran.error, AllOf(HasSubstr("train F1"), Not(HasSubstr("validation loss")), Not(HasSubstr("(best)"))));
  const auto curves = curves_of(place);
  EXPECT_EQ(curves.at("best_epoch"), 0);
  EXPECT_EQ(curves.at("published"), "last");
  EXPECT_EQ(curves.at("last_epoch"), 4) << "early stopping has nothing to watch";
}

// Decay alone turns each weight into -9 times itself in each of eight steps, whatever the gradients are.
constexpr const char* diverging =
    "run pipeline.toml --set train.lr=10 --set train.weight_decay=1 --set train.schedule=constant --set "
    "train.epochs=1 ";

TEST(TrainingOutcome, WeightsThatHaveDivergedAreNotPublished) {
  const Workplace place;
  const Ran ran = place.penstock(diverging, 2);
  EXPECT_EQ(ran.code, 65) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("the training has diverged: a parameter of its final weights is "));
  EXPECT_FALSE(std::filesystem::exists(place.path() / "runs/small/model"));
}

// The weights' digest and the normalisation in model.json.
std::pair<std::string, std::string> trained(const Workplace& place, const std::string& normalise) {
  const Ran ran = place.penstock("run pipeline.toml train --set train.epochs=1 --set train.normalise=" + normalise +
                                 " --store " + normalise);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(count_of(ran.error, "normalise = \"auto\" is "), normalise == "auto" ? 1u : 0u) << ran.error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path() / normalise / "objects")) {
    if (entry.path().filename() != "model.json") continue;
    const auto model = nlohmann::json::parse(text_of(entry.path()));
    return {text_of(entry.path().parent_path() / "weights.safetensors"),
            model.at("preprocessing").at("normalise").dump()};
  }
  return {};
}

TEST(TrainingOutcome, ANormalisationThatTheDataChooseIsTheOneThatIsNamed) {
  std::string config = small_pipeline;
  const std::string inputs = "split = \"split.index\" }\nbase_channels";
  config.replace(config.find(inputs), inputs.size(),
                 "split = \"split.index\", metadata = \"inspect.metadata\" }\nbase_channels");
  const Workplace place(config);
  const auto chosen = trained(place, "auto");
  const std::string kind = nlohmann::json::parse(chosen.second).at("kind");
  EXPECT_EQ(trained(place, kind), chosen) << "eval and predict read the same of both";
}

}  // namespace
}  // namespace penstock
