// A program of a user's: one more kind in the table, and every command works with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "launch/command_line.h"
#include "pipeline/files.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

struct CountParameters {
  int64_t start = 0;
  void describe(pipeline::ParameterVisitor& visit) { visit("start", start, {.help = "first number", .minimum = 0}); }
};

pipeline::StageKind count_kind() {
  pipeline::StageKind kind;
  kind.name = "count";
  kind.summary = "counts the bytes of a file";
  kind.inputs = {{.name = "file", .help = "any file"}};
  kind.outputs = {{.name = "count", .help = "count.txt"}};
  kind.parameters = pipeline::specifications_of<CountParameters>();
  kind.body = [] {
    return pipeline::body_of([](pipeline::StageContext& context) {
      const auto parameters = pipeline::read_parameters<CountParameters>(context.values);
      const auto bytes = static_cast<int64_t>(std::filesystem::file_size(context.input("file")));
      pipeline::write_file(context.output("count") / "count.txt", std::to_string(parameters.start + bytes));
    });
  };
  return kind;
}

class OwnProgram : public testing::Test {
 protected:
  OwnProgram() {
    before_ = std::filesystem::current_path();
    setenv("XDG_CACHE_HOME", (folder_.path() / "cache").c_str(), 1);
    std::filesystem::current_path(folder_.path());
    std::ofstream("data.bin") << "12345";
    std::ofstream("p.toml")
        << "schema = 1\n[pipeline]\nname = \"own\"\n[stage.count]\ninputs = { file = \"file:data.bin\" }\n";
    table_.push_back(count_kind());
  }
  ~OwnProgram() override { std::filesystem::current_path(before_); }

  int command(std::vector<const char*> words) {
    words.insert(words.begin(), "own");
    return run_command_line(static_cast<int>(words.size()), words.data(), table_);
  }
  std::string result() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(".penstock/objects")) {
      if (entry.path().filename() == "count.txt") return pipeline::read_file(entry.path());
    }
    return "(none)";
  }

  TemporaryFolder folder_;
  std::filesystem::path before_;
  pipeline::StageTable table_ = stages::stage_table();
};

TEST_F(OwnProgram, RunsItsOwnStageAndCachesIt) {
  EXPECT_EQ(command({"run", "p.toml", "-q"}), 0);
  EXPECT_EQ(result(), "5");
  testing::internal::CaptureStdout();
  EXPECT_EQ(command({"plan", "p.toml", "--count"}), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::StartsWith("0 of 1 stages"));
}

TEST_F(OwnProgram, ChecksItsParametersLikeAnyOther) {
  try {
    command({"validate", "p.toml", "--set", "count.start=-1"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::config);
    EXPECT_THAT(error.what(), testing::HasSubstr("at least 0"));
  }
}

TEST_F(OwnProgram, DescribesItsOwnStage) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(command({"stages", "count"}), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(),
              testing::AllOf(testing::HasSubstr("counts the bytes"), testing::HasSubstr("start")));
}

}  // namespace
}  // namespace penstock::launch
