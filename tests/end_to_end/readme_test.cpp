// Every command of the README, as it stands there, in a copy of the project's folders with its build.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <sstream>

#include "workplace.h"

namespace penstock {
namespace {

// The lines of the README's shell blocks, without comments.
std::vector<std::string> readme_commands() {
  std::istringstream lines(text_of(PENSTOCK_SOURCE_DIR "/README.md"));
  std::vector<std::string> commands;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = line == "```sh";
    } else if (inside && !line.empty()) {
      commands.push_back(std::regex_replace(line, std::regex("\\s+#.*$"), ""));
    }
  }
  return commands;
}

// A folder that looks like a clone with a finished build.
void look_like_a_clone(const Workplace& place) {
  std::filesystem::create_directories(place.path() / "build");
  std::filesystem::create_directory_symlink(PENSTOCK_BINARY_DIR, place.path() / "build/release");
  std::filesystem::create_directory_symlink(PENSTOCK_SOURCE_DIR "/configs", place.path() / "configs");
}

TEST(Readme, IsShortAndItsCommandsAreFound) {
  const std::string text = text_of(PENSTOCK_SOURCE_DIR "/README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 200);
  EXPECT_GE(readme_commands().size(), 10u);
}

// The two scripts are what runs this test; launch lines for machines that are not here are run on this one.
TEST(Readme, EveryCommandRuns) {
  const Workplace place;
  look_like_a_clone(place);
  ASSERT_EQ(place.penstock("run pipeline.toml --until synthesize --set synthesize.count=24").code, 0);
  place.take_archive("my-images.zip");
  place.take_archive("more-images.zip");
  int ran = 0;
  for (std::string command : readme_commands()) {
    if (command.starts_with("./launch/")) {
      EXPECT_TRUE(std::filesystem::exists(PENSTOCK_SOURCE_DIR + command.substr(1))) << command;
      continue;
    }
    command = std::regex_replace(command, std::regex("--hostfile hosts "), "");
    command = std::regex_replace(command, std::regex("-np 16 .*PE=4"), "-np 3 --bind-to none");
    if (command.find(" run configs/dsb2018") != std::string::npos) {
      // Seconds instead of minutes: fewer epochs of a smaller network, on the archive made above.
      command += " --set train.epochs=1 --set train.base_channels=4 --set resize.width=32 --set resize.height=32";
      if (command.find("--input") == std::string::npos) command += " --input unzip.archive=my-images.zip";
    }
    if (command.find(" run my-images.toml") != std::string::npos)
      command += " --set train.epochs=1 --set train.base_channels=4";
    const Ran result = run("export XDG_CACHE_HOME=cache; " + command, place.path());
    EXPECT_EQ(result.code, 0) << command << "\n" << result.error;
    ++ran;
  }
  EXPECT_GE(ran, 8);
}

TEST(Readme, SaysWhereToGetTheRealArchiveWhenItIsMissing) {
  const Workplace place;
  std::filesystem::create_directories(place.path() / "configs");
  place.write("configs/dsb2018.toml", text_of(PENSTOCK_SOURCE_DIR "/configs/dsb2018.toml"));
  const Ran ran = place.penstock("plan configs/dsb2018.toml");
  EXPECT_EQ(ran.code, 65);
  EXPECT_THAT(ran.error,
              testing::AllOf(testing::HasSubstr("dsb2018_stage1_train.zip does not exist"),
                             testing::HasSubstr("BBBC038"), testing::HasSubstr("sha256"), testing::HasSubstr("CC0")));
}

}  // namespace
}  // namespace penstock
