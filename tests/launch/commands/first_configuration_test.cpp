// What init makes of what it found: the values, and the reasons beside them.
#include "launch/commands/first_configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/config/config.h"
#include "pipeline/files.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Value survey_of(int64_t labelled, Value sides, double diameter) {
  return {{"layout", "layout folders: " + std::to_string(labelled) + " images"},
          {"left_over", ""},
          {"samples", labelled},
          {"labelled", labelled},
          {"subsets", Value::object()},
          {"looked_at", labelled},
          {"sides", std::move(sides)},
          {"channels", {{"1", labelled}}},
          {"bits", {{"8", labelled}}},
          {"colour", 0.0},
          {"looks", {{"fluorescence", labelled}}},
          {"page", "only"},
          {"masks", {{"meaning", "labels"}, {"why", "each value is one object"}}},
          {"objects", 20},
          {"diameter", diameter},
          {"foreground", 0.2},
          {"touching", 0.0},
          {"dim", 0.0},
          {"dim_by_root", 0.0}};
}

std::string text_for(const Value& survey) { return first_configuration({"nuclei", "nuclei.zip", "", ""}, survey); }

// The configuration is one that the program takes.
void expect_valid(const std::string& text) {
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "first.toml", text);
  pipeline::write_file(folder.path() / "nuclei.zip", "");
  pipeline::ConfigRequest request;
  request.file = folder.path() / "first.toml";
  request.store = folder.path() / "store";
  EXPECT_NO_THROW(pipeline::load_config(request, stages::stage_table())) << text;
}

TEST(FirstConfiguration, IsValidWhateverTheSizes) {
  for (const int64_t side : {20, 100, 300, 5000}) {
    for (const double diameter : {0.0, 5.0, 20.0, 150.0}) {
      for (const int64_t labelled : {1, 3, 12, 600})
        expect_valid(text_for(survey_of(labelled, {{side, side}}, diameter)));
    }
  }
}

TEST(FirstConfiguration, TakesCropsThatFitThePictures) {
  EXPECT_THAT(text_for(survey_of(50, {{1388, 1040}, {256, 256}, {520, 696}}, 20)), HasSubstr("crop = 128"));
  EXPECT_THAT(text_for(survey_of(50, {{1388, 1040}, {256, 256}, {520, 696}}, 50)), HasSubstr("crop = 256"))
      << "large objects";
  EXPECT_THAT(text_for(survey_of(50, {{128, 100}}, 20)), HasSubstr("crop = 128"));
  EXPECT_THAT(text_for(survey_of(50, {{64, 64}}, 20)), HasSubstr("crop = 64"));
}

TEST(FirstConfiguration, ScalesObjectsThatAreVeryLargeOrSmall) {
  EXPECT_THAT(text_for(survey_of(50, {{512, 512}}, 20)), Not(HasSubstr("object_diameter")));
  EXPECT_THAT(text_for(survey_of(50, {{2048, 2048}}, 160)), HasSubstr("object_diameter = 32"));
  EXPECT_THAT(text_for(survey_of(50, {{512, 512}}, 5)), HasSubstr("object_diameter = 12"));
}

TEST(FirstConfiguration, LearnsInteriorsWhereObjectsTouch) {
  Value survey = survey_of(50, {{256, 256}}, 20);
  EXPECT_THAT(text_for(survey), Not(HasSubstr("interior")));
  survey["touching"] = 0.23;
  EXPECT_THAT(text_for(survey), AllOf(HasSubstr("# 23 % of the objects touch"),
                                      HasSubstr("[\"mask\", \"interior\", \"horizontal\", \"vertical\"]")));
  expect_valid(text_for(survey));
}

TEST(FirstConfiguration, SetsNothingAsideOfTooFewPictures) {
  EXPECT_THAT(text_for(survey_of(2, {{256, 256}}, 20)), AllOf(HasSubstr("validation = 0\n"), HasSubstr("too few")));
  EXPECT_THAT(text_for(survey_of(5, {{256, 256}}, 20)), AllOf(HasSubstr("validation = 0.2"), HasSubstr("test = 0\n")));
  EXPECT_THAT(text_for(survey_of(50, {{256, 256}}, 20)), HasSubstr("test = 0.15"));
}

TEST(FirstConfiguration, SaysThatMoreThan8BitsAreKept) {
  Value survey = survey_of(50, {{256, 256}}, 20);
  EXPECT_THAT(text_for(survey), Not(HasSubstr("bits =")));
  survey["bits"] = {{"8", 10}, {"16", 40}};
  EXPECT_THAT(text_for(survey),
              AllOf(HasSubstr("# Bits: 16 (40 pictures), 8 (10 pictures)."), HasSubstr("bits = \"kept\"")));
  expect_valid(text_for(survey));
}

TEST(FirstConfiguration, SpreadsDimValuesWhereThatHelps) {
  Value survey = survey_of(50, {{256, 256}}, 20);
  survey["dim"] = 0.3, survey["dim_by_root"] = 0.2;
  EXPECT_THAT(text_for(survey), Not(HasSubstr("contrast"))) << "most stay dim";
  survey["dim_by_root"] = 0.02;
  EXPECT_THAT(text_for(survey), AllOf(HasSubstr("# 30 % of the objects"), HasSubstr("contrast = \"root\"")));
  expect_valid(text_for(survey));
}

TEST(FirstConfiguration, ScoresTrainToOnlyWherePicturesAreFew) {
  EXPECT_THAT(text_for(survey_of(50, {{256, 256}}, 20)), Not(HasSubstr("subsets")));
  EXPECT_THAT(text_for(survey_of(600, {{256, 256}}, 20)), HasSubstr("subsets = [\"validation\", \"test\"]"));
}

TEST(FirstConfiguration, KeepsManyChannelsAndShowsRareLooksMoreOften) {
  Value survey = survey_of(50, {{256, 256}}, 20);
  survey["channels"] = {{"5", 50}};
  survey["looks"] = {{"fluorescence", 40}, {"brightfield", 10}};
  const std::string text = text_for(survey);
  EXPECT_THAT(text, AllOf(HasSubstr("channels_from = [1, 2, 3, 4, 5]"), HasSubstr("channels = 5"),
                          HasSubstr("balance = \"look\""), Not(HasSubstr("\"colour\""))));
  expect_valid(text);
}

TEST(FirstConfiguration, WithoutAnyMaskThereIsNothingToTrainOn) {
  Value survey = survey_of(50, {{256, 256}}, 20);
  survey["labelled"] = 0;
  EXPECT_THROW(text_for(survey), Error);
}

}  // namespace
}  // namespace penstock::launch
