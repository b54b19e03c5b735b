// A training that is requested to stop loses no step; one that dies loses those since its last checkpoint; both resume
// in the middle of an epoch, at any rank count. The ranks wait in a named step for what is done to them
// (step_gate.cpp).
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "training_job.h"

namespace penstock {
namespace {

using testing::HasSubstr;

class Resume : public testing::Test {
 protected:
  void SetUp() override { place_.prepare(); }

  // Requests the end of a training whose ranks stand in step `disturbed_step`; they leave it when one has the signal.
  // `process` is the job's, or its group as a negative number, as for kill(2).
  Ran stop(int ranks, int signal, const std::function<pid_t(const Process&)>& process) const {
    TrainingJob job(place_, ranks, gate_at(disturbed_step, "GATE_OPENS_ON_SIGNAL=1"));
    EXPECT_TRUE(job.wait_at_gate());
    EXPECT_EQ(::kill(process(job.process()), signal), 0);
    const Ran ran = job.process().wait();
    EXPECT_EQ(place_.furthest_step(), disturbed_step) << "the step in which it was stopped is its last\n" << ran.error;
    return ran;
  }
  // Kills a rank in step `disturbed_step`.
  void kill(int ranks, int rank, const std::string& flags = "") const {
    TrainingJob job(place_, ranks, gate_at(disturbed_step), flags);
    ASSERT_TRUE(job.wait_at_gate());
    ASSERT_TRUE(job.kill(rank, SIGKILL));
    EXPECT_EQ(job.process().wait().code, 128 + SIGKILL);
    EXPECT_EQ(place_.furthest_step(), disturbed_step - 1);
  }
  void resume(int ranks) const {
    const Ran ran = place_.penstock(training_flags, ranks);
    EXPECT_EQ(ran.code, 0) << ran.error;
    EXPECT_THAT(ran.error, HasSubstr("resuming at"));
  }
  // Every step of the training once, in order, over both runs.
  void expect_each_step_once() const {
    std::vector<int64_t> all(steps_of_training);
    std::iota(all.begin(), all.end(), 1);
    EXPECT_EQ(place_.steps(), all);
  }

  TrainingPlace place_;
};

TEST_F(Resume, Sigusr1LosesNoStepAndDoesNoneTwice) {
  const Ran stopped = stop(2, SIGUSR1, &Process::pid);
  EXPECT_EQ(stopped.code, 75) << stopped.error;
  resume(2);
  expect_each_step_once();
}

TEST_F(Resume, Sigusr1ToOneRankOfThreeDoesTheSame) {
  EXPECT_EQ(stop(3, SIGUSR1, [](const Process& job) { return process_of_rank(job, 2); }).code, 75);
  resume(3);
  expect_each_step_once();
}

// mpirun sends SIGTERM on, and exits with 1 whatever its ranks exit with.
TEST_F(Resume, SigtermLosesNoStepWhereThereIsTimeToSave) {
  const Ran stopped = stop(2, SIGTERM, &Process::pid);
  EXPECT_THAT(stopped.error, HasSubstr("interrupted with its state saved"));
  resume(3);
  expect_each_step_once();
}

// As a terminal sends it: to the whole job.
TEST_F(Resume, CtrlCLosesNoStep) {
  const Ran stopped = stop(2, SIGINT, [](const Process& job) { return -job.pid(); });
  EXPECT_THAT(stopped.error, HasSubstr("interrupted with its state saved"));
  resume(2);
  expect_each_step_once();
}

TEST_F(Resume, ATimeBudgetThatEndsLosesNoStep) {
  const auto run_out_of_time = [&] {
    TrainingJob job(place_, 2, preloaded("step_gate", "TIME_ENDS_AFTER_STEPS=10"),
                    "--set train.epochs=100000 --time-budget 1h");
    const Ran ran = job.process().wait();
    EXPECT_EQ(ran.code, 75) << ran.error;
    EXPECT_THAT(ran.error, HasSubstr("the time is over"));
    return place_.steps().back();
  };
  const int64_t saved = run_out_of_time();
  EXPECT_GE(saved, 10);
  const int64_t last = run_out_of_time();
  EXPECT_GE(last, saved + 10);
  std::vector<int64_t> all(static_cast<size_t>(last));
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(place_.steps(), all);
}

TEST_F(Resume, AKillCostsTheStepsSinceTheCheckpointBeforeAndNoneBeforeThat) {
  kill(2, 1);
  const auto before = place_.steps();
  EXPECT_THAT(place_.recorded("checkpoint"), testing::Contains(disturbed_step - 2));
  resume(2);
  const int64_t resumed_at = place_.steps().at(before.size()) - 1;
  EXPECT_GE(resumed_at, disturbed_step - 2) << "the last was perhaps still being written";
  EXPECT_LT(resumed_at, disturbed_step);
  EXPECT_EQ(place_.steps().back(), steps_of_training);
}

// The order of the samples, and with it every loss, is a function of the seed.
TEST_F(Resume, AfterAKillAnotherRankCountSeesTheSameSamplesInTheSameOrder) {
  const std::string run_mode = std::string(training_flags) + " --set train.reproducible='\"run\"' --json";
  const auto losses = [](const TrainingPlace& place) {
    std::map<int64_t, double> found;
    std::istringstream lines(text_of(place.path() / "runs/small/events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto event = nlohmann::json::parse(line);
      if (event.at("event") == "step") found[event.at("step")] = event.at("loss");
    }
    return found;
  };
  TrainingPlace unbroken(&place_);
  ASSERT_EQ(unbroken.penstock(run_mode + " --until train", 2).code, 0);
  kill(2, 0, "--set train.reproducible='\"run\"'");
  const size_t before = place_.steps().size();
  const Ran ran = place_.penstock(run_mode + " --until train", 3);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("ranks 2 -> 3")) << "it says that the last bits may differ";
  ASSERT_GT(place_.steps().size(), before);
  const auto expected = losses(unbroken), found = losses(place_);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [step, loss] : expected) EXPECT_NEAR(found.at(step), loss, 0.02 * std::abs(loss)) << "step " << step;
}

TEST_F(Resume, TwoRanksKilledAndThreeResumingEndWithTheBitsOfOne) {
  TrainingPlace alone(&place_);
  ASSERT_EQ(alone.penstock(training_flags, 1).code, 0);
  kill(2, 1);
  resume(3);
  EXPECT_EQ(results_of(place_), results_of(alone));
}

TEST_F(Resume, WithAveragedWeightsWarmUpAndScheduleTheBitsAreThoseOfOneToo) {
  const std::string more = " --set train.ema=0.9 --set train.warm_up=2.5 --set train.schedule=poly";
  TrainingPlace alone(&place_);
  ASSERT_EQ(alone.penstock(training_flags + more, 1).code, 0);
  kill(2, 1, more);
  const Ran ran = place_.penstock(training_flags + more, 3);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("resuming at"));
  EXPECT_EQ(results_of(place_), results_of(alone));
  EXPECT_THAT(text_of(place_.path() / "runs/small/report.html"), HasSubstr("with a decay of 0.9"));
}

TEST_F(Resume, AFullDiskEndsWith74AndTheSameCommandResumesWhenThereIsRoom) {
  TrainingPlace unbroken(&place_);
  ASSERT_EQ(unbroken.penstock(training_flags, 2).code, 0);
  {
    TrainingJob job(place_, 2,
                    preloaded("fault_injection", "FAULT_BELOW=/.penstock/progress/ FAULT_AT=100 FAULT_DO=ENOSPC"));
    const Ran full = job.process().wait();
    EXPECT_EQ(full.code, 74);
    EXPECT_THAT(full.error, testing::AllOf(HasSubstr("/progress/"), HasSubstr("No space left on device")));
  }
  resume(2);
  EXPECT_EQ(results_of(place_), results_of(unbroken));
}

}  // namespace
}  // namespace penstock
