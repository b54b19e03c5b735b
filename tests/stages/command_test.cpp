#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "context.h"
#include "pipeline/files.h"
#include "pipeline/process_mark.h"
#include "process.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

std::string failure(const Words& command) {
  Bench bench;
  pipeline::write_file(bench.path() / "in/data.txt", "data");
  try {
    bench.run("command", {{"in", {bench.path() / "in"}}}, {{"command", command}, {"outputs", Words{"out"}}});
  } catch (const Error& error) {
    return error.what();
  }
  return "(done)";
}

TEST(Command, FillsItsOutputsFromItsInputsWithoutAShell) {
  Bench bench;
  pipeline::write_file(bench.path() / "in/data.txt", "data");
  const auto outputs =
      bench.run("command", {{"in", {bench.path() / "in"}}},
                {{"command", Words{"cp", "{in}/data.txt", "{out}/copy; rm -rf {{x}}"}}, {"outputs", Words{"out"}}});
  EXPECT_EQ(pipeline::read_file(outputs.at("out") / "copy; rm -rf {x}"), "data");
}

TEST(Command, AFailureShowsTheEndOfTheProgramsOutput) {
  EXPECT_THAT(failure({"sh", "-c", "echo first; echo sorry >&2; exit 3"}),
              testing::AllOf(HasSubstr("exit code 3"), HasSubstr("sorry")));
}

TEST(Command, AnUnknownWordInBracesAndAProgramThatIsNotThereAreNamed) {
  EXPECT_THAT(failure({"cp", "{inn}"}), HasSubstr("'{inn}'"));
  EXPECT_THAT(failure({"no-such-program"}), HasSubstr("no-such-program"));
}

TEST(Command, AFileThatIsNoPortIsRefused) {
  EXPECT_THAT(failure({"cat", "/etc/passwd"}), HasSubstr("make it an input"));
}

TEST(Command, RunsBesideAnotherRunOfItselfAndRemovesWhatDeadOnesLeft) {
  Bench bench;
  const auto progress = bench.path() / "1/progress";  // of the bench's first run
  pipeline::ProcessMark dead = pipeline::this_process();
  const std::string mine = pipeline::unique_suffix();
  std::string theirs = mine;
  theirs.replace(theirs.find("-" + std::to_string(dead.started) + "-"), 2, "-9");  // the same number at another time
  pipeline::write_file(progress / ("work." + mine) / "file", "of a run that is alive");
  pipeline::write_file(progress / ("work." + theirs) / "file", "of one that was killed");
  bench.run("command", {}, {{"command", Words{"touch", "{out}/file"}}, {"outputs", Words{"out"}}});
  EXPECT_TRUE(std::filesystem::exists(progress / ("work." + mine) / "file"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(progress), std::filesystem::directory_iterator()), 1);
}

TEST(Command, SeesOnlyTheNamedVariables) {
  setenv("PENSTOCK_TEST_SECRET", "hidden", 1);
  setenv("PENSTOCK_TEST_NAMED", "shown", 1);
  Bench bench;
  const auto outputs = bench.run("command", {},
                                 {{"command", Words{"sh", "-c", "env > {out}/env"}},
                                  {"outputs", Words{"out"}},
                                  {"env", Words{"PENSTOCK_TEST_NAMED"}}});
  const std::string env = pipeline::read_file(outputs.at("out") / "env");
  EXPECT_THAT(env, HasSubstr("shown"));
  EXPECT_THAT(env, testing::Not(HasSubstr("hidden")));
}

// A program, and one that it started.
TEST(Command, AnInterruptionEndsTheProgramAndWhatItStarted) {
  Bench bench;
  const auto file = bench.path() / "pids";
  std::thread user([&] {
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(file); }));
    bench.interrupt();
  });
  const auto run = [&] {
    bench.run("command", {},
              {{"command", Words{"sh", "-c",
                                 "sleep 600 & echo $$ $! > " + file.string() + ".new; mv " + file.string() + ".new " +
                                     file.string() + "; wait"}},
               {"outputs", Words{"out"}}});
  };
  try {
    run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::interrupted);
    EXPECT_THAT(error.what(), HasSubstr("will run again"));
  }
  user.join();
  std::istringstream pids(pipeline::read_file(file));
  for (pid_t pid = 0; pids >> pid;) EXPECT_TRUE(wait_until_gone({pid})) << pid;
}

std::vector<std::string> problems_with(const Words& command, const Words& outputs) {
  pipeline::Values values = {{"command", command}, {"outputs", outputs}, {"env", Words{}}};
  pipeline::Problems problems;
  pipeline::find_kind(stage_table(), "command")->check({values, nullptr, {"in"}}, problems);
  std::vector<std::string> sentences;
  for (const pipeline::Problem& problem : problems) sentences.push_back(problem.sentence);
  return sentences;
}

TEST(Command, OutputsArePlainNamesEachOnceAndNoInputs) {
  EXPECT_THAT(problems_with({"cp", "{in}", "{out-2_B}"}, {"out-2_B"}), testing::IsEmpty());
  EXPECT_THAT(problems_with({"cp"}, {"a b", "", "x/y"}), testing::SizeIs(3));
  EXPECT_THAT(problems_with({"cp"}, {"out", "out"}), testing::ElementsAre(HasSubstr("'out' is there twice")));
  EXPECT_THAT(problems_with({"cp"}, {"in"}), testing::ElementsAre(HasSubstr("'in' is an input and an output")));
}

TEST(Command, BracesThatNameNothingAreSeenBeforeAnythingRuns) {
  EXPECT_THAT(problems_with({"cp", "{inn}", "{{in}}", "{out}/x"}, {"out"}), testing::ElementsAre(HasSubstr("'{inn}'")));
}

}  // namespace
}  // namespace penstock::stages
