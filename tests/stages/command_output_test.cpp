// What programs print and leave behind, whatever it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "context.h"
#include "pipeline/files.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

// The message with which `script` fails; "(done)".
std::string failure(const std::string& script, const Words& may_be_empty = {}) {
  Bench bench;
  try {
    bench.run("command", {},
              {{"command", Words{"sh", "-c", script}}, {"outputs", Words{"out"}}, {"may_be_empty", may_be_empty}});
  } catch (...) {
    const auto failed = distributed::current_failure();
    EXPECT_EQ(failed.code, ExitCode::data);
    return failed.message;
  }
  return "(done)";
}

TEST(CommandOutput, WhatIsPrintedIsShownWithBytesThatAreNotUtf8Escaped) {
  const std::string message = failure("printf 'own words \\377\\033[1m\\r\\n'; exit 3; : {out}");
  EXPECT_THAT(message, AllOf(HasSubstr("exit code 3"), HasSubstr("own words \\xFF\\x1B[1m\n")));
  EXPECT_NO_THROW(pipeline::Value(message).dump());
}

TEST(CommandOutput, AProgramThatWritesNoFileHasFailedAndItsWordsAreShown) {
  EXPECT_THAT(failure("echo nothing matched; : {out}"),
              AllOf(HasSubstr("wrote no file into its output 'out'"), HasSubstr("may_be_empty = [\"out\"]"),
                    HasSubstr("nothing matched")));
  EXPECT_THAT(failure("mkdir {out}/folder"), HasSubstr("wrote no file"));
}

TEST(CommandOutput, AnOutputThatIsDeclaredSoMayBeEmpty) {
  EXPECT_EQ(failure(": {out}", {"out"}), "(done)");
  EXPECT_EQ(failure("mkdir {out}/folder", {"out"}), "(done)");
}

TEST(CommandOutput, LinksAndSpecialFilesAreRefusedByName) {
  EXPECT_THAT(failure("mkfifo {out}/pipe"), AllOf(HasSubstr("{out}/pipe"), HasSubstr("is a FIFO")));
  EXPECT_THAT(failure("mkdir {out}/a; ln -s /etc/passwd {out}/a/x"),
              AllOf(HasSubstr("{out}/a/x"), HasSubstr("is a symbolic link")));
  EXPECT_THAT(failure("ln -s /nowhere {out}/x"), HasSubstr("is a symbolic link"));
  EXPECT_THAT(failure("mkfifo {out}/pipe", {"out"}), HasSubstr("is a FIFO"));
}

TEST(CommandOutput, AnOutputFolderThatWasRemovedOrReplacedIsNamed) {
  EXPECT_THAT(failure("rmdir {out}"), HasSubstr("{out}: cannot be listed: No such file"));
  EXPECT_THAT(failure("rmdir {out}; ln -s /etc {out}"), HasSubstr("{out}: is a symbolic link where a folder"));
  EXPECT_THAT(failure("rmdir {out}; mkfifo {out}"), HasSubstr("{out}: is a FIFO where a folder"));
  EXPECT_THAT(failure("rmdir {out}; echo x > {out}"), HasSubstr("{out}: is a regular file where a folder"));
}

TEST(CommandOutput, AFileNameThatIsNotUtf8IsRefusedByName) {
  EXPECT_THAT(failure("touch {out}/$(printf 'k\\344se')"), AllOf(HasSubstr("{out}/k\\xE4se"), HasSubstr("not UTF-8")));
  EXPECT_EQ(failure("touch {out}/$(printf 'k\\303\\244se')"), "(done)");
}

TEST(CommandOutput, MayBeEmptyNamesOutputs) {
  const pipeline::Values values = {
      {"command", Words{"cp", "{out}"}}, {"outputs", Words{"out"}}, {"env", Words{}}, {"may_be_empty", Words{"outt"}}};
  pipeline::Problems problems;
  pipeline::find_kind(stage_table(), "command")->check({values, nullptr, {}}, problems);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems.front().parameter, "may_be_empty");
  EXPECT_THAT(problems.front().sentence, HasSubstr("'outt', which is no output"));
}

TEST(CommandOutput, AVariableThatIsNotUtf8StandsInTheKey) {
  const pipeline::Values values = {{"command", Words{"true"}},
                                   {"outputs", Words{"out"}},
                                   {"env", Words{"PENSTOCK_TEST_BYTES"}},
                                   {"may_be_empty", Words{}}};
  const auto environment = [&](const char* value) {
    setenv("PENSTOCK_TEST_BYTES", value, 1);
    return pipeline::find_kind(stage_table(), "command")->environment(values).at("variable PENSTOCK_TEST_BYTES");
  };
  EXPECT_EQ(environment("k\xC3\xA4se"), "=k\xC3\xA4se");
  EXPECT_EQ(environment("k\xE4se"), "bytes 6b e4 73 65");
  unsetenv("PENSTOCK_TEST_BYTES");
}

}  // namespace
}  // namespace penstock::stages
