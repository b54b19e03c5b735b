// What a configuration means, and what is said when it means nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/printable.h"
#include "expect_check.h"
#include "pipeline/fake_stages.h"

namespace penstock::pipeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::string& config, const std::vector<std::string>& sets = {}) {
  const Workshop shop(config);
  return refusal_of([&] { shop.load(sets); }, ExitCode::config);
}

const std::string head = "schema = 1\n[pipeline]\nname = \"x\"\n";

TEST(Config, SaysEveryErrorAtOnceWithPlaceAndNearestName) {
  const std::string text = refusal(
      head +
      "[stage.write]\ntxet = \"a\"\nspeed = 12\n[stage.uper]\n[stage.upper]\ninputs = { text = \"write.tex\" }\n");
  EXPECT_THAT(text, AllOf(HasSubstr("pipeline.toml:5:1: error[E"), HasSubstr("did you mean 'text'?")));
  EXPECT_THAT(text, AllOf(HasSubstr("pipeline.toml:6:"), HasSubstr("at most 9")));
  EXPECT_THAT(text, AllOf(HasSubstr("pipeline.toml:7:"), HasSubstr("did you mean 'upper'?")));
  EXPECT_THAT(text, HasSubstr("pipeline.toml:9:"));
}

TEST(Config, ShowsTheLineWithACaret) {
  EXPECT_THAT(refusal(head + "[stage.write]\ntxet = \"a\"\n"), HasSubstr("    5 | txet = \"a\"\n      | ^~~~"));
}

TEST(Config, BytesThatAreNotUtf8AreShownAsNumbers) {
  const std::string said = refusal(head + "[stage.write]\ntext = \"caf\xe9\"\n");
  EXPECT_THAT(said, HasSubstr("caf\\xE9"));
  EXPECT_TRUE(distributed::is_utf8(said));
}

TEST(Config, KeysAndListsThatAreNestedWithoutEndAreRefused) {
  std::string key = "a", list;
  for (int i = 0; i < 100'000; ++i) key += ".a";
  for (int i = 0; i < 100; ++i) list += "[";
  for (const std::string& text :
       {"[" + key + "]\n", key + " = 1\n", "x = { " + key + " = 1 }\n", "x = " + list + std::string(100, ']') + "\n"}) {
    EXPECT_THAT(refusal(text), HasSubstr("nested more than 32 deep")) << text.substr(0, 20);
  }
  EXPECT_THAT(refusal(head + "[stage.write]\ntext = \"" + std::string(200, '.') + "\" # " + std::string(200, '.') +
                      "\n[stage.x]\n"),
              testing::Not(HasSubstr("nested")));
}

TEST(Config, ACycleIsPrintedAsALoop) {
  EXPECT_THAT(refusal(head + "[stage.a]\nuses = \"upper\"\ninputs = { text = \"b.text\" }\n[stage.b]\nuses = "
                             "\"upper\"\ninputs = { text = \"a.text\" }\n"),
              AllOf(HasSubstr("a -> b -> a")));
}

TEST(Config, AMissingInputIsAnError) { EXPECT_THAT(refusal(head + "[stage.upper]\n"), HasSubstr("text")); }

TEST(Config, AWrongTypeSaysWhatWasRead) { EXPECT_THAT(refusal(head + "[stage.write]\ntext = 3\n"), HasSubstr("3")); }

TEST(Config, AnIntegerIsNotAWordAndASyntaxErrorHasALine) {
  EXPECT_THAT(refusal(head + "[stage.write\n"), HasSubstr("pipeline.toml:4"));
}

TEST(Config, AFlagBeatsTheFile) {
  const Workshop shop(head + "[stage.write]\ntext = \"file\"\n");
  EXPECT_EQ(shop.load({"write.text=\"flag\""}).graph.nodes.at(0).value("text"), "flag");
}

TEST(Config, TheEnvironmentBeatsTheFileAndAFlagBeatsTheEnvironment) {
  const Workshop shop(head + "[stage.write]\ntext = \"file\"\n");
  ConfigRequest request;
  request.file = shop.path("pipeline.toml");
  request.environment = {{"PENSTOCK_SET_write__text", "\"environment\""}};
  EXPECT_EQ(load_config(request, shop.kinds).graph.nodes.at(0).value("text"), "environment");
  request.sets = {"write.text=\"flag\""};
  EXPECT_EQ(load_config(request, shop.kinds).graph.nodes.at(0).value("text"), "flag");
}

TEST(Config, EverySettingSaysWhereItCameFrom) {
  const Workshop shop(head + "[stage.write]\ntext = \"file\"\n");
  std::map<std::string, std::string> origins;
  for (const Setting& setting : shop.load({"write.speed=2"}).settings) origins[setting.key] = setting.origin;
  EXPECT_THAT(origins.at("write.text"), HasSubstr("pipeline.toml:5"));
  EXPECT_THAT(origins.at("write.speed"), HasSubstr("--set"));
  EXPECT_EQ(origins.at("write.fail"), "default");
}

TEST(Config, ACycleShowsWhereEachStageTakesTheOther) {
  EXPECT_THAT(refusal(head + "[stage.a]\nuses = \"upper\"\ninputs = { text = \"b.text\" }\n[stage.b]\nuses = "
                             "\"upper\"\ninputs = { text = \"a.text\" }\n"),
              AllOf(HasSubstr("pipeline.toml:6:19: note: 'a' takes b.text"),
                    HasSubstr("pipeline.toml:9:19: note: 'b' takes a.text")));
}

TEST(Config, APinMayBeInCapitals) {
  const std::string digits = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
  const Workshop shop(head + "[stage.upper]\ninputs = { text = { file = \"x.txt\", sha256 = \"" + digits + "\" } }\n");
  EXPECT_THAT(shop.load().graph.stages.at(0)->inputs.at(0).sources.at(0).sha256,
              testing::StartsWith("0123456789abcdef"));
}

TEST(Config, AnUnknownKindIsToldOnceAndNotAgainByAllThatHangsOnIt) {
  const std::string text = refusal(head +
                                   "[stage.wirte]\n[stage.upper]\ninputs = { text = \"wirte.text\" }\nneeds = "
                                   "[\"wirte\"]\n[matrix.axes]\n\"wirte.text\" = [\"a\", \"b\"]\n");
  EXPECT_THAT(text, HasSubstr("there is no stage kind 'wirte'; did you mean 'write'?"));
  EXPECT_THAT(text, testing::Not(HasSubstr(" errors")));
}

TEST(Matrix, AxesMultiplyAndSharedStagesAppearOnce) {
  const Workshop shop(head +
                      "[stage.write]\n[stage.upper]\ninputs = { text = \"write.text\" "
                      "}\n[matrix.axes]\n\"upper.repeat\" = [1, 2, 3]\n");
  const Graph graph = shop.load().graph;
  EXPECT_EQ(graph.runs.size(), 3u);
  EXPECT_EQ(graph.nodes.size(), 1u + 3u);
}

TEST(Matrix, AnExcludeThatRemovesNothingIsAnError) {
  EXPECT_THAT(refusal(head + "[stage.write]\n[stage.upper]\ninputs = { text = \"write.text\" "
                             "}\n[matrix.axes]\n\"upper.repeat\" = [1, 2]\n[[matrix.exclude]]\n\"upper.repeat\" = 4\n"),
              HasSubstr("exclude"));
}

TEST(Matrix, AnAxisOfAnUnknownParameterIsAnError) {
  EXPECT_THAT(refusal(head + "[stage.write]\n[matrix.axes]\n\"write.txet\" = [\"a\"]\n"), HasSubstr("did you mean"));
}

}  // namespace
}  // namespace penstock::pipeline
