// Whatever happens to a save, at whichever call to the system: the checkpoint before it is whole, or it is itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "distributed/error.h"
#include "fault_injection.h"
#include "pipeline/files.h"
#include "stages/compute/training/checkpoints.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

// What is there, and what is being saved when the fault comes.
struct Save {
  std::vector<int64_t> before;
  int64_t step = 0;
  int64_t variant = 0;
};
// The usual one; the first of all but one; and the end of a training whose last step was saved already.
const Save usual{{15, 17}, 19, 0}, second{{15}, 17, 0}, again{{17}, 17, 1};

struct Ended {
  int code = 0;  // exit code; 137: killed
  int calls = 0;
  std::string said;
};

// Saves in a process of its own, so that it can be killed.
Ended save_with_fault(const fs::path& folder, const Save& save, int at, const char* what) {
  const fs::path note = folder.string() + ".said";
  const pid_t child = fork();
  if (child == 0) {
    int code = 0;
    std::string said;
    arm_fault(folder.c_str(), at, what);
    try {
      CheckpointFolder(folder).save(checkpoint_of(save.step, save.variant), manifest_of(save.step));
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
      said = error.what();
    } catch (const std::exception& error) {
      code = 70;
      said = error.what();
    }
    const int calls = counted_calls();
    arm_fault("", 0, "");
    std::ofstream(note) << calls << ' ' << said;
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Ended ended;
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::ifstream read(note);
  std::getline(read >> ended.calls >> std::ws, ended.said);
  fs::remove(note);
  return ended;
}

void make_ready(const fs::path& folder, const Save& save) {
  fs::remove_all(folder);
  const CheckpointFolder checkpoints(folder);
  for (const int64_t step : save.before) checkpoints.save(checkpoint_of(step), manifest_of(step));
}

// "old", "new", or what is wrong.
std::string what_loads(const fs::path& folder, const Save& save) {
  const auto found = find_in(folder);
  if (!found) return "neither";
  if (found->manifest.step == save.step && same(found->checkpoint, checkpoint_of(save.step, save.variant)))
    return "new";
  if (found->manifest.step == save.before.back() && same(found->checkpoint, checkpoint_of(save.before.back())))
    return "old";
  return "something else";
}

class CheckpointFaults : public testing::TestWithParam<Save> {
 protected:
  int calls_of_a_save() const {
    make_ready(folder(), GetParam());
    return save_with_fault(folder(), GetParam(), 0, "").calls;
  }
  fs::path folder() const { return folder_.path() / "progress"; }
  Ended meet(int at, const char* what) const {
    make_ready(folder(), GetParam());
    return save_with_fault(folder(), GetParam(), at, what);
  }
  // After all that: the next save works, and nothing is left over.
  void expect_recovery() const {
    CheckpointFolder(folder()).save(checkpoint_of(21), manifest_of(21));
    EXPECT_TRUE(find_in(folder()) && same(find_in(folder())->checkpoint, checkpoint_of(21)));
    EXPECT_EQ(pipeline::tree_of(folder()).size(), 4u) << "two checkpoints, of two files each";
  }

 private:
  TemporaryFolder folder_;
};

TEST_P(CheckpointFaults, KilledAtAnyCallTheOldOrTheNewOneLoads) {
  const int calls = calls_of_a_save();
  ASSERT_GE(calls, 9) << "two files made, written, synced and renamed, and their folder synced";
  std::set<std::string> seen;
  for (const char* how : {"kill", "half"}) {
    for (int at = 1; at <= calls; ++at) {
      ASSERT_EQ(meet(at, how).code, 128 + SIGKILL) << how << " at call " << at;
      const std::string loads = what_loads(folder(), GetParam());
      EXPECT_THAT(loads, testing::AnyOf("old", "new")) << how << " at call " << at << " of " << calls;
      seen.insert(loads);
      expect_recovery();
    }
  }
  EXPECT_EQ(seen.size(), 2u) << "the kills came both before and after what decides";
}

TEST_P(CheckpointFaults, ADiskThatFailsAtAnyCallIsReportedAndTheOldOrTheNewOneLoads) {
  const int calls = calls_of_a_save();
  for (const char* how : {"ENOSPC", "EIO"}) {
    for (int at = 1; at <= calls; ++at) {
      const Ended ended = meet(at, how);
      const std::string loads = what_loads(folder(), GetParam());
      EXPECT_THAT(loads, testing::AnyOf("old", "new")) << how << " at call " << at << " of " << calls;
      if (ended.code == 0) {
        EXPECT_EQ(loads, "new") << how << " at call " << at
                                << ": what went wrong is that an old one could not be removed";
      } else {
        EXPECT_EQ(ended.code, static_cast<int>(ExitCode::io)) << how << " at call " << at << ": " << ended.said;
        EXPECT_THAT(ended.said, testing::AllOf(testing::HasSubstr(folder().string()),
                                               testing::HasSubstr(std::string(how) == "EIO" ? "Input/output error"
                                                                                            : "No space left")))
            << at;
      }
      expect_recovery();
    }
  }
}

TEST_P(CheckpointFaults, AWriteThatTakesHalfGoesOnWithTheRest) {
  const int calls = calls_of_a_save();
  for (int at = 1; at <= calls; ++at) {
    EXPECT_EQ(meet(at, "short").code, 0);
    EXPECT_EQ(what_loads(folder(), GetParam()), "new") << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Saves, CheckpointFaults, testing::Values(usual, second, again), [](const auto& saves) {
  return std::string(saves.index == 0 ? "Usual" : saves.index == 1 ? "Second" : "OfTheSameStepAgain");
});

}  // namespace
}  // namespace penstock::stages
