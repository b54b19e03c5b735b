// What a person types, rightly or wrongly.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "expect_check.h"
#include "launch/command_line.h"
#include "stages/kinds.h"

namespace penstock::launch {
namespace {

using testing::HasSubstr;

std::string said(std::vector<const char*> words, int* code = nullptr) {
  words.insert(words.begin(), "penstock");
  testing::internal::CaptureStdout();
  const int got = run_command_line(static_cast<int>(words.size()), words.data(), stages::stage_table());
  if (code != nullptr) *code = got;
  return testing::internal::GetCapturedStdout();
}

std::string refusal(std::vector<const char*> words) {
  words.insert(words.begin(), "penstock");
  return refusal_of([&] { run_command_line(static_cast<int>(words.size()), words.data(), stages::stage_table()); },
                    ExitCode::usage);
}

TEST(CommandLine, SaysItsVersionAndHelp) {
  int code = -1;
  EXPECT_THAT(said({"--version"}, &code), testing::StartsWith("penstock 0."));
  EXPECT_EQ(code, 0);
  EXPECT_THAT(said({"run", "--help"}), HasSubstr("--set"));
}

TEST(CommandLine, AWrongWordIsAnsweredWithTheNearestRightOne) {
  EXPECT_THAT(refusal({"rnu", "x.toml"}), HasSubstr("did you mean 'run'?"));
  EXPECT_THAT(refusal({"plan", "x.toml", "--cuont"}), HasSubstr("did you mean '--count'?"));
  EXPECT_THAT(refusal({"stages", "trian"}), HasSubstr("did you mean 'train'?"));
  EXPECT_THAT(refusal({"cache", "gcc"}), HasSubstr("did you mean 'gc'?"));
  EXPECT_THAT(refusal({"cache", "gc", "--older-then", "3"}), HasSubstr("did you mean '--older-than'?"));
}

TEST(CommandLine, OutputFlagsMayStandBeforeTheCommandToo) {
  const std::string after = said({"stages", "--json"});
  EXPECT_TRUE(pipeline::Value::accept(after)) << after;
  EXPECT_EQ(said({"--json", "stages"}), after);
  EXPECT_THAT(refusal({"--jsn", "stages"}), HasSubstr("did you mean '--json'?"));
}

TEST(CommandLine, AStageKindIsDescribedForProgramsToo) {
  const auto train = pipeline::Value::parse(said({"stages", "train", "--json"}));
  EXPECT_EQ(train.at("kind"), "train");
  EXPECT_EQ(train.at("inputs").at(0).at("port"), "shards");
  const auto named = [](const std::string& name) {
    return [name](const pipeline::Value& one) { return one.at("name") == name; };
  };
  const auto& parameters = train.at("parameters");
  const auto lr = std::find_if(parameters.begin(), parameters.end(), named("lr"));
  ASSERT_NE(lr, parameters.end());
  EXPECT_EQ(lr->at("maximum"), 10);
  EXPECT_THAT(refusal({"stages", "train", "--json", "--markdown"}), HasSubstr("give one"));
}

TEST(CommandLine, NothingAtAllIsRefused) { EXPECT_NE(refusal({}), "(accepted)"); }

TEST(CommandLine, AnInputWithoutAPathIsRefusedWithAnExample) {
  EXPECT_THAT(refusal({"plan", PENSTOCK_SOURCE_DIR "/configs/quickstart.toml", "--input", "unzip.archive"}),
              HasSubstr("stage.port=PATH"));
}

TEST(CommandLine, ErrorsAsJsonHoldTheirPlacesAndNotes) {
  int code = 0;
  const auto said_of = pipeline::Value::parse(
      said({"validate", PENSTOCK_SOURCE_DIR "/tests/pipeline/broken/121-circle-of-three.toml", "--json"}, &code));
  EXPECT_EQ(code, 78);
  EXPECT_EQ(said_of.at("valid"), false);
  const auto& error = said_of.at("errors").at(0);
  EXPECT_EQ(error.at("code"), "E304");
  EXPECT_EQ(error.at("line"), 3);
  EXPECT_EQ(error.at("notes").size(), 3u);
  EXPECT_EQ(error.at("notes").at(1).at("line"), 12);
}

TEST(CommandLine, BenchHasTheRangesAndChoicesOfTrain) {
  const auto parameters = stages::train_kind().parameters;
  const auto about = [&](const std::string& name) {
    return std::find_if(parameters.begin(), parameters.end(), [&](const auto& one) { return one.name == name; })->about;
  };
  const std::string help = said({"bench", "--help"});
  EXPECT_THAT(help, HasSubstr(fmt::format("--depth INT:INT in [1 - {:.0f}]", *about("depth").maximum)));
  EXPECT_THAT(help, HasSubstr(fmt::format("--norm {}", fmt::join(about("norm").choices, "|"))));
  EXPECT_THAT(refusal({"bench", "train", "--depth", "1000"}), HasSubstr("--depth"));
  EXPECT_THAT(refusal({"bench", "train", "--norm", "layer"}), HasSubstr("--norm"));
}

TEST(CommandLine, EveryKindIsDescribedWithItsPortsAndParameters) {
  for (const pipeline::StageKind& kind : stages::stage_table()) {
    const std::string text = said({"stages", kind.name.c_str()});
    for (const auto& parameter : kind.parameters) EXPECT_THAT(text, HasSubstr(parameter.name)) << kind.name;
    for (const auto& port : kind.inputs) EXPECT_THAT(text, HasSubstr(port.name)) << kind.name;
  }
}

TEST(CommandLine, TheConfigurationShowsFinalValuesAndWhereTheyCameFrom) {
  const std::string text =
      said({"config", PENSTOCK_SOURCE_DIR "/configs/quickstart.toml", "--origin", "--set", "train.lr=0.5"});
  EXPECT_THAT(text, testing::AllOf(HasSubstr("train.lr = 0.5"), HasSubstr("--set"), HasSubstr("quickstart.toml:"),
                                   HasSubstr("default")));
}

}  // namespace
}  // namespace penstock::launch
