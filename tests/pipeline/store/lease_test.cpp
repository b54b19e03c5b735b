// Claims on work: one wins, a dead holder is replaced, a living one never, and no clock of another machine is believed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/process_mark.h"
#include "pipeline/store/lease.h"
#include "pipeline/value.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const Digest action = digest_of("an action");
const LeaseTiming quick{.beat = 20ms, .dead_after = 200ms};
// A beat that has not changed between two looks a moment apart is a dead one's.
const LeaseTiming impatient{.beat = 20ms, .dead_after = 1ms};
constexpr auto a_moment = 5ms;
constexpr auto long_enough = 120s;  // a limit against hangs

class LeaseTest : public testing::Test {
 protected:
  fs::path folder() const { return folder_.path(); }
  fs::path file() const { return folder() / action.hex(); }

  // A lease as a process of another machine would have written it.
  void write_foreign(const std::string& token, int64_t beat) const {
    const Value lease = {{"token", token},
                         {"host", "far"},
                         {"boot", "another-boot"},
                         {"pid_namespace", "pid:[1]"},
                         {"pid", 1},
                         {"started", 1},
                         {"stage", "train"},
                         {"since", "2026-01-01T00:00:00Z"},
                         {"beat", std::to_string(beat)}};
    write_file(file(), lease.dump());
  }

  // A child that takes the lease, says that it has it, and sleeps until it is killed.
  pid_t fork_holder() const {
    int told[2];
    if (pipe(told) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
      Leases leases(folder(), quick);
      const auto lease = leases.take(action, "train", nullptr);
      const char taken = lease ? 'y' : 'n';
      if (write(told[1], &taken, 1) != 1) _exit(1);
      for (;;) pause();
    }
    char taken = 0;
    EXPECT_EQ(read(told[0], &taken, 1), 1);
    EXPECT_EQ(taken, 'y');
    close(told[0]);
    close(told[1]);
    return child;
  }

  bool taken_by(Leases& leases) const { return leases.take(action, "train", nullptr) != nullptr; }

  // Tries until it has the lease; how long that took.
  std::chrono::nanoseconds time_to_take(Leases& leases) const {
    const auto start = std::chrono::steady_clock::now();
    while (!taken_by(leases)) {
      std::this_thread::sleep_for(a_moment);
      if (std::chrono::steady_clock::now() - start > long_enough) {
        ADD_FAILURE() << "the lease is never free";
        break;
      }
    }
    return std::chrono::steady_clock::now() - start;
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(LeaseTest, OfTwoTakersOneWinsAndTheOtherLearnsWhoHoldsIt) {
  Leases first(folder(), quick), second(folder(), quick);
  const auto lease = first.take(action, "train", nullptr);
  ASSERT_TRUE(lease);
  LeaseHolder holder;
  EXPECT_FALSE(second.take(action, "train", &holder));
  EXPECT_EQ(holder.pid, getpid());
  EXPECT_EQ(holder.stage, "train");
}

TEST_F(LeaseTest, ManyTakersAtOnceHaveOneWinnerAtATime) {
  std::atomic<int> holding{0}, most{0}, wins{0};
  std::vector<std::thread> takers;
  for (int i = 0; i < 8; ++i) {
    takers.emplace_back([&] {
      Leases leases(folder(), quick);
      for (int round = 0; round < 50; ++round) {
        const auto lease = leases.take(action, "train", nullptr);
        if (!lease) continue;
        ++wins;
        most = std::max(most.load(), ++holding);
        std::this_thread::yield();
        --holding;
      }
    });
  }
  for (std::thread& taker : takers) taker.join();
  EXPECT_GT(wins, 0);
  EXPECT_EQ(most, 1);
  EXPECT_TRUE(fs::is_empty(folder())) << "a released lease leaves nothing behind";
}

TEST_F(LeaseTest, AKilledHolderOfThisMachineIsReplacedAtOnce) {
  const pid_t child = fork_holder();
  Leases leases(folder(), quick);
  EXPECT_FALSE(taken_by(leases));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(taken_by(leases));
}

TEST_F(LeaseTest, AKilledHolderThatNobodyHasWaitedForIsReplacedAtOnce) {
  const pid_t child = fork_holder();
  kill(child, SIGKILL);
  siginfo_t ended;
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);  // it has ended, and stays a zombie
  Leases leases(folder(), quick);
  EXPECT_TRUE(taken_by(leases));
  waitpid(child, nullptr, 0);
}

TEST_F(LeaseTest, AStoppedHolderOfThisMachineKeepsItsLease) {
  const pid_t child = fork_holder();
  kill(child, SIGSTOP);
  Leases leases(folder(), impatient);
  for (int look = 0; look < 40; ++look) {
    EXPECT_FALSE(taken_by(leases));
    std::this_thread::sleep_for(a_moment);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(LeaseTest, AHolderElsewhereIsDeadOnlyWhenItsBeatStoodStillForTheSetTime) {
  write_foreign("theirs", 7);
  Leases leases(folder(), quick);
  EXPECT_GE(time_to_take(leases), quick.dead_after);
}

TEST_F(LeaseTest, AHolderElsewhereThatBeatsIsNeverReplacedHoweverOldItsTimes) {
  Leases leases(folder(), impatient);
  for (int beat = 0; beat < 40; ++beat) {
    write_foreign("theirs", beat);
    fs::last_write_time(file(), fs::file_time_type::clock::now() - std::chrono::hours(1000));
    EXPECT_FALSE(taken_by(leases));
    std::this_thread::sleep_for(a_moment);
  }
}

TEST_F(LeaseTest, AHolderThatStalledAndBeatAgainIsTimedAnew) {
  Leases leases(folder(), quick);
  write_foreign("theirs", 1);
  EXPECT_FALSE(taken_by(leases));
  std::this_thread::sleep_for(quick.dead_after);
  write_foreign("theirs", 2);
  EXPECT_GE(time_to_take(leases), quick.dead_after);
}

TEST_F(LeaseTest, ABrokenLeaseThatWasTakenAnewMeanwhileIsPutBack) {
  write_foreign("newcomer", 1);
  break_lease(file(), "the dead one");
  EXPECT_NE(read_file(file()).find("newcomer"), std::string::npos);
  break_lease(file(), "newcomer");
  EXPECT_TRUE(fs::is_empty(folder()));
}

TEST_F(LeaseTest, AnUnreadableLeaseDoesNotBlockForEver) {
  for (const char* text : {"", "{\"token\": \"half", "not JSON"}) {
    write_file(file(), text);
    Leases leases(folder(), quick);
    EXPECT_FALSE(taken_by(leases)) << "it may be somebody's for all that is known";
    std::this_thread::sleep_for(quick.dead_after);
    EXPECT_TRUE(taken_by(leases)) << text;
  }
}

TEST_F(LeaseTest, AnUnreadableLeaseThatIsStillWrittenIsSomebodys) {
  Leases leases(folder(), impatient);
  for (int beat = 0; beat < 30; ++beat) {
    write_file(file(), "of a later version, " + std::to_string(beat));
    // Its time is its beat, and a file system may give two writes the same.
    fs::last_write_time(file(), fs::file_time_type::clock::now() + std::chrono::seconds(beat));
    EXPECT_FALSE(taken_by(leases));
    std::this_thread::sleep_for(a_moment);
  }
}

TEST_F(LeaseTest, AHolderThatWasThoughtDeadLeavesItsSuccessorsLeaseAlone) {
  Leases leases(folder(), quick);
  auto lease = leases.take(action, "train", nullptr);
  ASSERT_TRUE(lease);
  fs::remove(file());  // broken by an observer that saw no beat
  write_foreign("successor", 1);
  lease.reset();
  EXPECT_NE(read_file(file()).find("successor"), std::string::npos);
}

TEST_F(LeaseTest, AHeldLeaseBeats) {
  Leases leases(folder(), quick);
  const auto lease = leases.take(action, "train", nullptr);
  const std::string before = read_file(file());
  const auto end = std::chrono::steady_clock::now() + long_enough;
  while (read_file(file()) == before && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(a_moment);
  EXPECT_NE(read_file(file()), before);
  EXPECT_EQ(Leases::holder_of(folder(), action)->pid, getpid());
}

TEST_F(LeaseTest, AFolderThatCannotBeWrittenIsNamed) {
  Leases leases(folder() / "none", quick);
  try {
    leases.take(action, "train", nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::cannot_create);
    EXPECT_NE(std::string(error.what()).find(action.hex()), std::string::npos);
  }
}

TEST(ProcessMark, ANameTellsWhichProcessMadeIt) {
  const auto mark = mark_in("chunk-0123." + unique_suffix() + ".reads");
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->pid, getpid());
  EXPECT_EQ(life_of(*mark), Life::alive);
  EXPECT_FALSE(mark_in("0123abcd.4.json"));
}

TEST(ProcessMark, AProcessThatTookANumberAgainIsAnother) {
  ProcessMark mark = this_process();
  mark.started -= 1;
  EXPECT_EQ(life_of(mark), Life::gone);
  mark.boot = "another";
  EXPECT_EQ(life_of(mark), Life::unknown);
}

}  // namespace
}  // namespace penstock::pipeline
