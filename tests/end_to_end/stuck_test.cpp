// A rank that stops, dies, fails alone or does something else than the others: the job is gone soon, with the cause
// told once and with its exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "training_job.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Its last stage goes on for ever.
class Stuck : public testing::Test {
 protected:
  Stuck() { place_.write("stuck.toml", "schema = 1\n[pipeline]\nname = \"stuck\"\n[stage.misbehave]\n"); }

  std::string line(const std::string& arguments, int ranks, const std::string& program = "stuck_probe") const {
    return "export XDG_CACHE_HOME='" + (place_.path() / "cache").string() + "'; exec mpirun --bind-to none -np " +
           std::to_string(ranks) + " '" PENSTOCK_BINARY_DIR "/" + program + "' run " + arguments;
  }
  // Of a job that is in its steps.
  Process& start(const std::string& arguments, int ranks) {
    job_.emplace(line(arguments, ranks), place_.path());
    while (!fs::exists(place_.path() / "ready") && job_->running())
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return *job_;
  }
  struct End {
    Ran ran;
    double seconds = 0;  // from the fault to the end of the job
  };
  static End end_of(Process& job, pid_t rank, int signal) {
    const auto fault = std::chrono::steady_clock::now();
    EXPECT_GT(rank, 0);
    if (rank > 0) ::kill(rank, signal);
    End end;
    end.ran = job.wait();
    end.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - fault).count();
    return end;
  }
  static size_t times(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
  }

  Workplace place_;
  std::optional<Process> job_;
};

TEST_F(Stuck, AStoppedRankIsNamedWithItsStepAndTheJobEndsWith76) {
  Process& job = start("stuck.toml", 3);
  const End end = end_of(job, process_of_rank(job, 2), SIGSTOP);
  EXPECT_EQ(end.ran.code, 76);
  EXPECT_THAT(end.ran.error, AllOf(HasSubstr("rank 2 of 3 has been silent"), HasSubstr("last heard misbehave, step "),
                                   HasSubstr("in all_reduce of 4 bytes 'the gradients of step ")));
  EXPECT_EQ(times(end.ran.error, "has been silent"), 1u);
  EXPECT_LT(end.seconds, 12) << "10 s and what a busy machine adds";
}

TEST_F(Stuck, TheAttemptOfAJobThatHadToBeEndedIsOnRecord) {
  setenv("PENSTOCK_WATCHDOG", "1", 1);
  EXPECT_EQ(run(line("stuck.toml --set misbehave.how='\"compute\"'", 2), place_.path()).code, 76);
  unsetenv("PENSTOCK_WATCHDOG");
  const Ran ran =
      run("'" PENSTOCK_BINARY_DIR "/stuck_probe' status stuck.toml --set misbehave.how='\"compute\"'", place_.path());
  EXPECT_THAT(ran.out, AllOf(HasSubstr("failed"), HasSubstr("Rank 1 does not come to all_reduce")));
}

TEST_F(Stuck, AStoppedFirstRankIsNamedByTheNext) {
  Process& job = start("stuck.toml", 2);
  const End end = end_of(job, process_of_rank(job, 0), SIGSTOP);
  EXPECT_EQ(end.ran.code, 76);
  EXPECT_EQ(times(end.ran.error, "rank 0 of 2 has been silent"), 1u) << end.ran.error;
}

TEST_F(Stuck, AKilledRankEndsTheJob) {
  Process& job = start("stuck.toml", 2);
  const pid_t group = job.pid();
  const End end = end_of(job, process_of_rank(job, 1), SIGKILL);
  EXPECT_EQ(end.ran.code, 137);
  EXPECT_LT(end.seconds, 5) << "3 s and what a busy machine adds";
  EXPECT_NE(::kill(-group, 0), 0) << "nobody is left";
}

TEST_F(Stuck, WhatOneRankThrowsIsToldOnceAndEndsTheJobWithItsCode) {
  const Ran ran = run(line("stuck.toml --set misbehave.how='\"throw\"'", 3), place_.path());
  EXPECT_EQ(ran.code, 65);
  EXPECT_EQ(times(ran.error, "the sample 'b17' has no pixels"), 1u) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("stage 'misbehave', rank 1: "));
}

TEST_F(Stuck, ACollectiveTooManyOnOneRankIsADisagreement) {
  const Ran ran = run(line("stuck.toml --set misbehave.how='\"extra\"'", 2), place_.path());
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("barrier 'one too many'"), HasSubstr("'the gradients of step 20'")));
}

TEST_F(Stuck, ARankThatReturnsBeforeTheOthersIsADisagreement) {
  const Ran ran = run(line("stuck.toml --set misbehave.how='\"leave\"'", 2), place_.path());
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("wait for each other"), HasSubstr("'the gradients of step 20'")));
}

TEST_F(Stuck, ARankThatComputesForEverIsNamedAndPatienceCanBeSet) {
  setenv("PENSTOCK_WATCHDOG", "1", 1);
  const Ran ran = run(line("stuck.toml --set misbehave.how='\"compute\"'", 2), place_.path());
  unsetenv("PENSTOCK_WATCHDOG");
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.error, HasSubstr("Rank 1 does not come to all_reduce of 4 bytes 'the gradients of step 20'"));
}

TEST_F(Stuck, WhatIsWrongOnAllRanksBeforeTheyMeetIsToldOnce) {
  setenv("PENSTOCK_WATCHDOG", "soon", 1);
  const Ran variable = run(line("stuck.toml", 3), place_.path());
  unsetenv("PENSTOCK_WATCHDOG");
  EXPECT_EQ(variable.code, 69);
  EXPECT_EQ(times(variable.error, "PENSTOCK_WATCHDOG='soon'"), 1u) << variable.error;
  const Ran flag = run(line("stuck.toml --sett x=1", 3), place_.path());
  EXPECT_EQ(flag.code, 64);
  EXPECT_EQ(times(flag.error, "unknown flag '--sett'"), 1u) << flag.error;
}

TEST_F(Stuck, ASignalToOneRankStopsAllWith75) {
  Process& job = start("stuck.toml", 2);
  const End end = end_of(job, process_of_rank(job, 1), SIGUSR1);
  EXPECT_EQ(end.ran.code, 75) << end.ran.error;
  EXPECT_THAT(end.ran.error, AllOf(HasSubstr("the same command resumes"), Not(HasSubstr("disagree"))));
}

// The stage above misbehaves on purpose; this is a real one.
TEST(StuckTraining, AStoppedRankIsNamedAndTheSameCommandGoesOn) {
  TrainingPlace place;
  place.prepare();
  TrainingPlace unbroken(&place);
  ASSERT_EQ(unbroken.penstock(training_flags, 3).code, 0);
  for (const int rank : {0, 2}) {
    TrainingJob job(place, 3);
    ASSERT_TRUE(job.wait_for_step(place.furthest_step() + 8));
    const auto fault = std::chrono::steady_clock::now();
    ASSERT_TRUE(job.kill(rank, SIGSTOP));
    const Ran ran = job.process().wait();
    EXPECT_EQ(ran.code, 76);
    EXPECT_THAT(ran.error,
                AllOf(HasSubstr("rank " + std::to_string(rank) + " of 3 has been silent"), HasSubstr("train, step ")));
    EXPECT_LT(std::chrono::steady_clock::now() - fault, std::chrono::seconds(12))
        << "10 s and what a busy machine adds";
  }
  EXPECT_EQ(place.penstock(training_flags, 3).code, 0);
  EXPECT_EQ(results_of(place), results_of(unbroken));
}

TEST_F(Stuck, RanksOfDifferentBuildsAreRefused) {
  const std::string program = " '" PENSTOCK_BINARY_DIR "/";
  const Ran ran = run("export XDG_CACHE_HOME=cache; exec mpirun --bind-to none -np 1" + program +
                          "penstock' run pipeline.toml : -np 1" + program + "stuck_probe' run pipeline.toml",
                      place_.path());
  EXPECT_EQ(ran.code, 69);
  EXPECT_EQ(times(ran.error, "another build"), 1u) << ran.error;
}

// ---- the time ----

TEST(TimeBudget, ATrainingEndsInTimeWithItsStateSaved) {
  const Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --set train.epochs=100000 --time-budget 14s", 2);
  EXPECT_EQ(ran.code, 75) << ran.error;
  EXPECT_LT(ran.seconds, 14);
  EXPECT_THAT(ran.error, HasSubstr("the time is over"));
}

TEST(TimeBudget, TooLittleIsRefusedAtTheStart) {
  const Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --time-budget 4s");
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.error, HasSubstr("--time-budget 4s leaves no time"));
  EXPECT_FALSE(fs::exists(place.path() / ".penstock"));
}

}  // namespace
}  // namespace penstock
