// Broken configurations, each with the exact words that a person reads: tests/pipeline/broken/NNN-name.toml, and what
// is said of it in NNN-name.expected. Comments that begin a file are its flags and environment:
//   # --set train.lr=fast      # --input unzip.archive=a.zip      # PENSTOCK_SET_train__lr=fast
// A new case is a new .toml. To write what is said now, for all of them:
//   PENSTOCK_WRITE_EXPECTED=1 build/release/stages_test --gtest_filter='BrokenConfigs.*'
// Then read the difference as the person who made the mistake: file, place, what was read, what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "pipeline/config/config.h"
#include "pipeline/files.h"
#include "pipeline/syntax/error_index.h"
#include "stages/kinds.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

// Messages name files from the working directory.
class BrokenConfigs : public testing::Test {
 protected:
  BrokenConfigs() { fs::current_path(PENSTOCK_SOURCE_DIR "/tests/pipeline/broken"); }
  ~BrokenConfigs() override { fs::current_path(before_); }

  static std::vector<fs::path> files() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(".")) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".toml") && std::isdigit(static_cast<unsigned char>(name[0]))) found.push_back(name);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  static pipeline::ConfigRequest request_of(const fs::path& file) {
    pipeline::ConfigRequest request;
    request.file = file;
    std::istringstream lines(pipeline::read_file(file));
    for (std::string line; std::getline(lines, line) && line.starts_with("# ");) {
      const std::string text = line.substr(2);
      if (text.starts_with("--set ")) request.sets.push_back(text.substr(6));
      const size_t equals = text.find('=');
      if (text.starts_with("--input "))
        request.inputs.emplace_back(text.substr(8, equals - 8), text.substr(equals + 1));
      if (text.starts_with("PENSTOCK_SET_")) request.environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return request;
  }

  static std::string said_of(const fs::path& file) {
    try {
      pipeline::load_config(request_of(file), stage_table());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::config) << file;
      return error.what() + std::string("\n");
    }
    return "(accepted)\n";
  }

  static fs::path expected_of(fs::path file) { return file.replace_extension(".expected"); }

  fs::path before_ = fs::current_path();
};

TEST_F(BrokenConfigs, EachIsAnsweredInTheseWords) {
  const bool write = std::getenv("PENSTOCK_WRITE_EXPECTED") != nullptr;
  for (const fs::path& file : files()) {
    const std::string said = said_of(file);
    if (write) {
      std::ofstream(expected_of(file)) << said;
    } else {
      ASSERT_TRUE(fs::exists(expected_of(file))) << file;
      EXPECT_EQ(said, pipeline::read_file(expected_of(file))) << file;
    }
  }
  if (write) FAIL() << "written anew, not compared";
}

TEST_F(BrokenConfigs, AreAtLeastAHundredAndEachIsRefused) {
  EXPECT_GE(files().size(), 100u);
  for (const fs::path& file : files())
    EXPECT_THAT(pipeline::read_file(expected_of(file)), testing::HasSubstr(": error[E")) << file;
}

TEST_F(BrokenConfigs, ShowEveryErrorCode) {
  std::string all;
  for (const fs::path& file : files()) all += pipeline::read_file(expected_of(file));
  for (const pipeline::Rule& rule : pipeline::rules()) {
    const bool shown = all.find("error[" + std::string(rule.code) + "]") != std::string::npos;
    EXPECT_TRUE(shown) << rule.code << ": " << rule.meaning;
  }
}

TEST_F(BrokenConfigs, NoExpectationIsLeftWithoutItsConfiguration) {
  for (const auto& entry : fs::directory_iterator(".")) {
    if (entry.path().extension() != ".expected") continue;
    EXPECT_TRUE(fs::exists(fs::path(entry.path()).replace_extension(".toml"))) << entry.path();
  }
}

}  // namespace
}  // namespace penstock::stages
