// A rank that stops, dies, fails alone or does something else than the others: the job ends, with the cause reported
// once and with its exit code. How soon is measured by tests/benchmarks/failures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "training_job.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A job whose steps never end by themselves.
class Stuck : public testing::Test {
 protected:
  Stuck() { place_.write("stuck.toml", "schema = 1\n[pipeline]\nname = \"stuck\"\n[stage.misbehave]\n"); }

  std::string line(const std::string& arguments, int ranks, const std::string& program = "stuck_probe") const {
    return "export XDG_CACHE_HOME='" + (place_.path() / "cache").string() + "'; exec mpirun --bind-to none -np " +
           std::to_string(ranks) + " '" PENSTOCK_BINARY_DIR "/" + program + "' run " + arguments;
  }
  // Sends a signal to a rank of a job that is in its steps; what the job ends with, all its processes gone.
  Ran end_of(int ranks, int rank, int signal) const {
    Process job(line("stuck.toml", ranks), place_.path());
    EXPECT_TRUE(wait_until([&] { return fs::exists(place_.path() / "ready") || !job.running(); }));
    const auto processes = children_of(job.pid());
    const pid_t victim = process_of_rank(job, rank);
    EXPECT_GT(victim, 0) << "it ended by itself";
    if (victim > 0) ::kill(victim, signal);
    const Ran ran = job.wait();
    EXPECT_EQ(processes.size(), static_cast<size_t>(ranks));
    EXPECT_TRUE(wait_until_gone(processes));
    return ran;
  }
  static size_t times(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
  }

  Workplace place_;
};

TEST_F(Stuck, AStoppedRankIsNamedWithItsStepAndTheJobEndsWith76) {
  const Ran ran = end_of(3, 2, SIGSTOP);
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("rank 2 of 3 has been silent"), HasSubstr("last heard misbehave, step "),
                               HasSubstr("in all_reduce of 4 bytes 'the gradients of step ")));
  EXPECT_EQ(times(ran.error, "has been silent"), 1u);
}

TEST_F(Stuck, AStoppedFirstRankIsNamedByTheNext) {
  const Ran ran = end_of(2, 0, SIGSTOP);
  EXPECT_EQ(ran.code, 76);
  EXPECT_EQ(times(ran.error, "rank 0 of 2 has been silent"), 1u) << ran.error;
}

TEST_F(Stuck, AKilledRankEndsTheJob) { EXPECT_EQ(end_of(2, 1, SIGKILL).code, 137); }

TEST_F(Stuck, WhatOneRankThrowsIsReportedOnceAndEndsTheJobWithItsCode) {
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

TEST_F(Stuck, ARankThatComputesForEverIsNamedAndOnRecordAndPatienceCanBeSet) {
  const std::string computes = "stuck.toml --set misbehave.how='\"compute\"'";
  const Ran ran = run("export PENSTOCK_WATCHDOG=4; " + line(computes, 2), place_.path());
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("Rank 1 does not come to all_reduce of 4 bytes 'the gradients of step 20'"),
                               HasSubstr("(patience: 4.0 s")));
  const Ran status = run("'" PENSTOCK_BINARY_DIR "/stuck_probe' status " + computes, place_.path());
  EXPECT_THAT(status.out, AllOf(HasSubstr("failed"), HasSubstr("Rank 1 does not come to all_reduce")));
}

TEST_F(Stuck, WhatIsWrongOnAllRanksBeforeTheyMeetIsReportedOnce) {
  const Ran variable = run("export PENSTOCK_WATCHDOG=soon; " + line("stuck.toml", 3), place_.path());
  EXPECT_EQ(variable.code, 69);
  EXPECT_EQ(times(variable.error, "PENSTOCK_WATCHDOG='soon'"), 1u) << variable.error;
  const Ran flag = run(line("stuck.toml --sett x=1", 3), place_.path());
  EXPECT_EQ(flag.code, 64);
  EXPECT_EQ(times(flag.error, "unknown flag '--sett'"), 1u) << flag.error;
}

TEST_F(Stuck, ASignalToOneRankStopsAllWith75) {
  const Ran ran = end_of(2, 1, SIGUSR1);
  EXPECT_EQ(ran.code, 75) << ran.error;
  EXPECT_THAT(ran.error, AllOf(HasSubstr("the same command resumes"), Not(HasSubstr("disagree"))));
}

// The stage above misbehaves on purpose; this is a real one.
TEST(StuckTraining, AStoppedRankIsNamedAndTheSameCommandResumes) {
  TrainingPlace place;
  place.prepare();
  TrainingPlace unbroken(&place);
  ASSERT_EQ(unbroken.penstock(training_flags, 3).code, 0);
  for (const int rank : {0, 2}) {
    const int64_t step = disturbed_step + 10 * rank;
    TrainingJob job(place, 3, "export PENSTOCK_WATCHDOG=8; " + gate_at(step));
    ASSERT_TRUE(job.wait_at_gate());
    ASSERT_TRUE(job.kill(rank, SIGSTOP));
    job.open_gate();
    const Ran ran = job.process().wait();
    EXPECT_EQ(ran.code, 76);
    EXPECT_THAT(ran.error, AllOf(HasSubstr("rank " + std::to_string(rank) + " of 3 has been silent"),
                                 HasSubstr("last heard train, step " + std::to_string(step) + ",")));
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
  EXPECT_EQ(times(ran.error, "a different build"), 1u) << ran.error;
}

// ---- the time: see also Resume.ATimeBudgetThatEndsLosesNoStep ----

TEST(TimeBudget, TooLittleIsRefusedAtTheStart) {
  const Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --time-budget 4s");
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.error, HasSubstr("--time-budget 4s leaves no time"));
  EXPECT_FALSE(fs::exists(place.path() / ".penstock"));
}

}  // namespace
}  // namespace penstock
