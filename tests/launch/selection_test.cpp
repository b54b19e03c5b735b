// What a person selects on the command line, and there is none of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_check.h"
#include "launch/command_line.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* matrix = PENSTOCK_SOURCE_DIR "/configs/matrix.toml";

std::string refusal(std::vector<std::string> words) {
  const TemporaryFolder folder;
  words.insert(words.begin(), "penstock");
  const std::string store = (folder.path() / "store").string();
  if (words[1] != "cache") words.insert(words.end(), {"--store", store});
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  testing::internal::CaptureStdout();
  const std::string said =
      refusal_of([&] { run_command_line(static_cast<int>(pointers.size()), pointers.data(), stages::stage_table()); },
                 ExitCode::usage);
  testing::internal::GetCapturedStdout();
  return said;
}

TEST(Selecting, AValueThatNoRunHasListsThoseOfTheAxis) {
  for (const char* command : {"plan", "runs"}) {
    EXPECT_THAT(refusal({command, matrix, "--select", "train.lr=5"}),
                AllOf(HasSubstr("'train.lr=5'"), HasSubstr("train.lr is 0.003, 0.001")));
  }
}

// As from a shell whose variable is not set: --select "$WHICH".
TEST(Selecting, AnEmptyValueIsRefusedAndSelectsNotEverything) {
  for (const char* flag : {"--select", "--part", "--only", "--until", "--from"})
    EXPECT_THAT(refusal({"plan", matrix, flag, ""}), AllOf(HasSubstr(flag), HasSubstr("is empty"))) << flag;
  EXPECT_THAT(refusal({"runs", matrix, "--sort", ""}), HasSubstr("is empty"));
  EXPECT_THAT(refusal({"diff", matrix, "", "1"}), HasSubstr("is empty"));
  EXPECT_THAT(refusal({"cache", "pin", ""}), HasSubstr("is empty"));
  EXPECT_EQ(refusal({"plan", matrix, "--force"}), "(accepted)") << "a flag that may stand alone";
}

}  // namespace
}  // namespace penstock::launch
