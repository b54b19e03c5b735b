// What `penstock doctor` finds and how it says so.
#include "launch/commands/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "process.h"
#include "stages/cuda_library.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using stages::Finding;
using testing::HasSubstr;

const std::string program = PENSTOCK_BINARY_DIR "/penstock";

TEST(Doctor, ALineAFindingAndACount) {
  const std::vector<Finding> findings = {{Finding::State::ok, "cores", "2"},
                                         {Finding::State::failed, "disk", "full"},
                                         {Finding::State::not_run, "GPU", "none"}};
  EXPECT_THAT(
      as_text(findings),
      testing::MatchesRegex("ok +cores +2\nFAILED +disk +full\nnot run +GPU +none\n1 ok, 1 FAILED, 1 not run\n"));
  EXPECT_EQ(nlohmann::json::parse(as_json(findings)).at("failed"), 1);
}

TEST(Doctor, AProcessAloneHasAGoodLaunchLine) {
  const distributed::World world{distributed::Launcher::alone, 0, 1, 0, 1};
  for (const Finding& finding : check_machine(world, {})) {
    if (finding.name == "launch line") {
      EXPECT_EQ(finding.state, Finding::State::ok) << finding.text;
    }
  }
}

TEST(Doctor, AFolderThatCannotBeWrittenFailsAndNothingIsLeftOfOneThatCan) {
  const TemporaryFolder folder;
  EXPECT_EQ(check_disk("/proc/1").front().state, Finding::State::failed);
  for (const Finding& finding : check_disk(folder.path()))
    EXPECT_EQ(finding.state, Finding::State::ok) << finding.name << ": " << finding.text;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Doctor, FindsThisMachineFit) {
  const TemporaryFolder folder;
  const Ran ran = run("'" + program + "' doctor --json", folder.path());
  EXPECT_EQ(ran.code, 0) << ran.out << ran.error;
  EXPECT_GE(nlohmann::json::parse(ran.out).at("ok"), 8);
}

TEST(Doctor, SeveralMayLookAtOneMachineAtOnce) {
  const TemporaryFolder folder;
  const std::string one = "(for i in 1 2 3 4 5; do '" + program + "' doctor >/dev/null || exit 1; done)";
  const Ran ran = run(one + " & first=$!; " + one + " && wait $first", folder.path());
  EXPECT_EQ(ran.code, 0) << ran.out << ran.error;
}

TEST(Doctor, AskedForGpusWithoutAnySaysWhatWasNotRunAndEndsWith69) {
  if (stages::gpus_are_likely()) GTEST_SKIP() << "not run: this machine has a GPU";
  const TemporaryFolder folder;
  const Ran ran = run("'" + program + "' doctor --gpu", folder.path());
  EXPECT_EQ(ran.code, 69) << ran.error;
  EXPECT_THAT(ran.out, testing::ContainsRegex("FAILED +GPU"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("not run +training, recorded graph +needs a GPU"));
  EXPECT_THAT(ran.out, HasSubstr("1 FAILED, 16 not run"));
}

}  // namespace
}  // namespace penstock::launch
