// The JSON Schema that editors read, held against the tables that it is made from and against the shipped
// configurations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "launch/command_line.h"
#include "pipeline/syntax/grammar.h"
#include "process.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using pipeline::Type;
using pipeline::Value;

const Value& schema() {
  static const Value printed = [] {
    const char* words[] = {"penstock", "schema"};
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_command_line(2, words, stages::stage_table()), 0);
    return Value::parse(testing::internal::GetCapturedStdout());
  }();
  return printed;
}

// The schema of "early_stopping.patience" in a stage's table; null when it is not there.
Value property(const Value& table, const std::string& name) {
  const size_t dot = name.find('.');
  const Value inner = table.at("properties").value(name.substr(0, dot), Value());
  return dot == std::string::npos || inner.is_null() ? inner : property(inner, name.substr(dot + 1));
}

std::string json_type(Type type) {
  switch (type) {
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::number:
      return "number";
    case Type::word:
      return "string";
    case Type::words:
    case Type::integers:
    case Type::numbers:
      return "array";
    case Type::integer_or_word:
    case Type::number_or_word:
      return "";  // two of them
  }
  return "";
}

TEST(Schema, IsOfTheDraftThatEditorsRead) {
  EXPECT_EQ(schema().at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema().at("additionalProperties"), false);
}

TEST(Schema, HoldsEveryParameterOfEveryKindWithTypeDefaultRangeAndDescription) {
  size_t seen = 0;
  for (const pipeline::StageKind& kind : stages::stage_table()) {
    const Value& table = schema().at("$defs").at("kind-" + kind.name);
    EXPECT_EQ(table.at("additionalProperties"), false) << kind.name;
    for (const pipeline::Specification& one : kind.parameters) {
      SCOPED_TRACE(kind.name + "." + one.name);
      const Value found = property(table, one.name);
      ASSERT_TRUE(found.is_object());
      ++seen;
      EXPECT_EQ(found.value("type", ""), json_type(one.type));
      EXPECT_EQ(found.at("default"), one.fallback);
      EXPECT_THAT(found.at("description").get<std::string>(), testing::StartsWith(one.about.help));
      const Value& limited = found.contains("items")   ? found.at("items")
                             : found.contains("anyOf") ? found.at("anyOf").at(0)
                                                       : found;
      EXPECT_EQ(limited.value("minimum", Value()), one.about.minimum ? Value(*one.about.minimum) : Value());
      EXPECT_EQ(limited.value("maximum", Value()), one.about.maximum ? Value(*one.about.maximum) : Value());
      const Value& worded = found.contains("anyOf") ? found.at("anyOf").at(1) : limited;
      EXPECT_EQ(worded.value("enum", Value()), one.about.choices.empty() ? Value() : Value(one.about.choices));
    }
  }
  EXPECT_GT(seen, 40u);
}

TEST(Schema, HoldsEveryPortOfEveryKind) {
  for (const pipeline::StageKind& kind : stages::stage_table()) {
    const Value& inputs = schema().at("$defs").at("kind-" + kind.name).at("properties").at("inputs");
    for (const pipeline::Port& port : kind.inputs)
      EXPECT_TRUE(inputs.at("properties").contains(port.name)) << kind.name << "." << port.name;
    EXPECT_EQ(inputs.at("additionalProperties").is_boolean(), !kind.ports)
        << kind.name << ": only a stage that declares its ports takes others";
  }
}

TEST(Schema, HoldsEveryKeyThatBelongsToNoKind) {
  const auto holds = [](const Value& table, const pipeline::Keys& keys) {
    for (const pipeline::Key& key : keys.keys) {
      ASSERT_TRUE(table.at("properties").contains(key.name)) << keys.where << " " << key.name;
      EXPECT_THAT(table.at("properties").at(key.name).at("description").get<std::string>(),
                  testing::StartsWith(key.about.help));
    }
  };
  holds(schema(), pipeline::file_keys());
  holds(schema().at("properties").at("pipeline"), pipeline::pipeline_keys());
  holds(schema().at("properties").at("matrix"), pipeline::matrix_keys());
  holds(schema().at("properties").at("matrix").at("properties").at("seeds"), pipeline::seeds_keys());
  holds(schema().at("properties").at("matrix").at("properties").at("sample"), pipeline::sample_keys());
  for (const pipeline::StageKind& kind : stages::stage_table())
    holds(schema().at("$defs").at("kind-" + kind.name), pipeline::stage_keys());
}

TEST(Schema, AStageIsLookedUpByItsNameOrByWhatItUses) {
  const Value& stages = schema().at("properties").at("stage");
  EXPECT_EQ(stages.at("properties").at("train").at("else").at("$ref"), "#/$defs/kind-train");
  EXPECT_EQ(stages.at("additionalProperties").at("$ref"), "#/$defs/stage-by-uses");
  EXPECT_EQ(schema().at("$defs").at("stage-by-uses").at("allOf").size(),
            pipeline::StageTable(stages::stage_table()).size());
}

// A second opinion, where Python has the module: the shipped configurations are valid, and slips are seen.
class SchemaInPython : public testing::Test {
 protected:
  void SetUp() override {
    if (run("python3 -c 'import jsonschema, tomllib'", folder_.path()).code != 0)
      GTEST_SKIP() << "python3 has no jsonschema module here, or no tomllib";
    std::ofstream(folder_.path() / "schema.json") << schema().dump();
    std::ofstream(folder_.path() / "check.py")
        << "import json, sys, tomllib, jsonschema\n"
           "schema = json.load(open('schema.json'))\n"
           "jsonschema.Draft202012Validator.check_schema(schema)\n"
           "for error in jsonschema.Draft202012Validator(schema).iter_errors(tomllib.load(open(sys.argv[1], 'rb'))):\n"
           "    print(error.json_path, error.message)\n";
  }
  // What is wrong with a file; empty when nothing is.
  std::string told(const std::filesystem::path& file) {
    const Ran ran = run("python3 check.py '" + file.string() + "'", folder_.path());
    EXPECT_EQ(ran.code, 0) << ran.error;
    return ran.out;
  }
  std::string told_of(const std::string& text) {
    std::ofstream(folder_.path() / "p.toml") << "schema = 1\n" << text;
    return told(folder_.path() / "p.toml");
  }
  TemporaryFolder folder_;
};

TEST_F(SchemaInPython, TakesTheShippedConfigurations) {
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PENSTOCK_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".toml") continue;
    EXPECT_EQ(told(entry.path()), "") << entry.path();
    ++seen;
  }
  EXPECT_GE(seen, 3u);
}

TEST_F(SchemaInPython, TakesEveryFormOfAMatrix) {
  EXPECT_EQ(told_of(R"([stage.train]
[matrix]
max_runs = 50
[matrix.axes]
"train.lr" = { log_uniform = [1e-5, 1e-2] }
train.depth = [2, 3]
train.early_stopping.patience = [2, 3]
[[matrix.zip]]
"train.loss" = ["bce", "bce_dice"]
train.weight_decay = [0, 1e-4]
[[matrix.exclude]]
"train.depth" = 2
[[matrix.include]]
train.depth = 4
[[matrix.set]]
when = { "train.depth" = 3 }
set = { "train.augment" = ["flip"] }
[matrix.sample]
n = 5
[matrix.seeds]
path = "train.seed"
values = [1, 2]
)"),
            "");
}

TEST_F(SchemaInPython, SeesSlips) {
  EXPECT_NE(told_of("[stage.train]\nbase_chanels = 8\n"), "");
  EXPECT_NE(told_of("[stage.train]\nearly_stopping = { patiense = 8 }\n"), "");
  EXPECT_NE(told_of("[stage.clean]\nuses = \"train\"\nepochs = 0\n"), "");
  EXPECT_NE(told_of("[stage.clean]\nepochs = 3\n"), "");
  EXPECT_NE(told_of("[stage.train]\ninputs = { shard = \"shard.shards\" }\n"), "");
  EXPECT_NE(told_of("[stage.train]\n[matrix.axes]\n\"train.lr\" = { loguniform = [1e-5, 1e-2] }\n"), "");
}

}  // namespace
}  // namespace penstock::launch
