// What a shell offers when one presses the tabulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "launch/command_line.h"
#include "process.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string script(const char* shell) {
  const char* words[] = {"penstock", "completion", shell};
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line(3, words, stages::stage_table()), 0);
  return testing::internal::GetCapturedStdout();
}

// What bash offers for the last of these words.
std::string offered(const std::string& words) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "penstock.bash") << script("bash");
  const Ran ran = run("bash -c 'source penstock.bash; COMP_WORDS=(" + words +
                          "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _penstock; echo \"${COMPREPLY[*]}\"'",
                      folder.path());
  EXPECT_EQ(ran.error, "");
  return ran.out.substr(0, ran.out.size() - 1);
}

TEST(Completion, BashsScriptParsesAndSaysNothingWhenItIsLoaded) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "penstock.bash") << script("bash");
  const Ran ran = run("bash -n penstock.bash && bash -c 'source penstock.bash && complete -p penstock'", folder.path());
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.error, IsEmpty());
  EXPECT_THAT(ran.out, HasSubstr("-F _penstock penstock"));
}

TEST(Completion, OffersCommands) {
  EXPECT_EQ(offered("penstock va"), "validate");
  EXPECT_THAT(offered("penstock \"\""), testing::AllOf(HasSubstr("run"), HasSubstr("schema"), HasSubstr("completion")));
}

TEST(Completion, OffersFlagsOfTheCommandAndNoOthers) {
  EXPECT_EQ(offered("penstock run x.toml --keep"), "--keep-going");
  EXPECT_EQ(offered("penstock plan --cou"), "--count");
  EXPECT_EQ(offered("penstock validate --cou"), "");
}

TEST(Completion, OffersTheChoicesOfAValueAndFilesForAllElse) {
  EXPECT_EQ(offered("penstock run --progress \"\""), "auto bar plain none");
  EXPECT_EQ(offered("penstock plan --link infini"), "infiniband-hdr infiniband-ndr");
  EXPECT_EQ(offered("penstock run --store \"\""), "") << "nothing offered: bash takes names of files";
  EXPECT_EQ(offered("penstock run \"\""), "");
  EXPECT_EQ(offered("penstock stages tra"), "train");
}

TEST(Completion, TheScriptsOfOtherShellsHoldEveryCommandAndFlag) {
  const std::string bash = script("bash");
  const size_t at = bash.find("-W '");
  std::istringstream words(bash.substr(at + 4, bash.find("'", at + 4) - at - 4));
  size_t seen = 0;
  for (std::string word; words >> word;) {
    if (word.starts_with("-")) continue;
    ++seen;
    EXPECT_THAT(script("zsh"), HasSubstr("'" + word + ":"));
    EXPECT_THAT(script("fish"), HasSubstr(" -f -a " + word + " "));
  }
  EXPECT_GE(seen, 9u);
  EXPECT_THAT(script("zsh"), HasSubstr("--keep-going["));
  EXPECT_THAT(script("fish"), HasSubstr("-l keep-going"));
}

TEST(Completion, TheScriptsOfOtherShellsParseWhereTheShellIsThere) {
  const TemporaryFolder folder;
  size_t checked = 0;
  for (const char* shell : {"zsh", "fish"}) {
    if (run(std::string("command -v ") + shell, folder.path()).code != 0) continue;
    std::ofstream(folder.path() / "script") << script(shell);
    const Ran ran = run(std::string(shell) + " -n script", folder.path());
    EXPECT_EQ(ran.code, 0) << shell << ": " << ran.error;
    ++checked;
  }
  if (checked == 0) GTEST_SKIP() << "neither zsh nor fish is installed";
}

TEST(Completion, AnotherShellIsRefused) {
  const char* words[] = {"penstock", "completion", "tcsh"};
  EXPECT_THROW(run_command_line(3, words, stages::stage_table()), Error);
}

}  // namespace
}  // namespace penstock::launch
