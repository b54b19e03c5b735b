// A training that is asked to stop loses no step; one that dies loses those since its last checkpoint; both go on in
// the middle of an epoch, at any rank count.
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

  // Sends `signal` to mpirun, or to one rank, once the training is in its steps; the exit code.
  Ran stop(int ranks, int signal, int rank = -1, const std::string& flags = "") const {
    TrainingJob job(place_, ranks, "", flags);
    EXPECT_TRUE(job.wait_for_step(21)) << "it ended too soon";
    if (rank < 0)
      ::kill(job.process().pid(), signal);
    else
      job.kill(rank, signal);
    return job.process().wait();
  }
  Ran go_on(int ranks) const {
    const Ran ran = place_.penstock(training_flags, ranks);
    EXPECT_EQ(ran.code, 0) << ran.error;
    EXPECT_THAT(ran.error, HasSubstr("resuming at"));
    return ran;
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
  const Ran stopped = stop(2, SIGUSR1);
  EXPECT_EQ(stopped.code, 75) << stopped.error;
  EXPECT_LT(place_.furthest_step(), steps_of_training);
  go_on(2);
  expect_each_step_once();
}

TEST_F(Resume, Sigusr1ToOneRankOfThreeDoesTheSame) {
  EXPECT_EQ(stop(3, SIGUSR1, 2).code, 75);
  go_on(3);
  expect_each_step_once();
}

// mpirun leaves its ranks a second, and answers 1 whatever they say.
TEST_F(Resume, SigtermLosesNoStepWhereASecondIsEnoughToSave) {
  const Ran stopped = stop(2, SIGTERM);
  EXPECT_THAT(stopped.error, HasSubstr("interrupted with its state saved"));
  go_on(3);
  expect_each_step_once();
}

TEST_F(Resume, CtrlCLosesNoStep) {
  const Ran stopped = [&] {
    TrainingJob job(place_, 2);
    EXPECT_TRUE(job.wait_for_step(21));
    ::kill(-job.process().pid(), SIGINT);  // as a terminal does: to all of the job
    return job.process().wait();
  }();
  EXPECT_THAT(stopped.error, HasSubstr("interrupted with its state saved"));
  go_on(2);
  expect_each_step_once();
}

TEST_F(Resume, ATimeBudgetThatEndsLosesNoStep) {
  const std::string longer = std::string(training_flags) + " --set train.epochs=100000";
  const auto last = [&] { return place_.steps().back(); };
  ASSERT_EQ(place_.penstock(longer + " --time-budget 13s", 2).code, 75);
  const int64_t saved = last();
  ASSERT_EQ(place_.penstock(longer + " --time-budget 13s", 2).code, 75);
  EXPECT_GT(last(), saved);
  std::vector<int64_t> all(static_cast<size_t>(last()));
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(place_.steps(), all);
}

TEST_F(Resume, AKillCostsTheStepsSinceTheCheckpointBeforeAndNoneBeforeThat) {
  stop(2, SIGKILL, 1);
  const auto before = place_.steps(), saved = place_.told("checkpoint");
  ASSERT_FALSE(saved.empty());
  go_on(2);
  const int64_t resumed_at = place_.steps()[before.size()] - 1;
  EXPECT_THAT(saved, testing::Contains(resumed_at));
  EXPECT_GE(resumed_at, saved[saved.size() < 2 ? 0 : saved.size() - 2]) << "the last was perhaps still being written";
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
  stop(2, SIGKILL, 0, "--set train.reproducible='\"run\"'");
  const size_t before = place_.steps().size();
  const Ran ran = place_.penstock(run_mode + " --until train", 3);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("ranks 2 -> 3")) << "it says that the last bits may differ";
  ASSERT_GT(place_.steps().size(), before);
  const auto expected = losses(unbroken), found = losses(place_);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [step, loss] : expected) EXPECT_NEAR(found.at(step), loss, 0.02 * std::abs(loss)) << "step " << step;
}

TEST_F(Resume, TwoRanksKilledAndThreeGoingOnEndWithTheBitsOfOne) {
  TrainingPlace alone(&place_);
  ASSERT_EQ(alone.penstock(training_flags, 1).code, 0);
  stop(2, SIGKILL, 1);
  go_on(3);
  EXPECT_EQ(results_of(place_), results_of(alone));
}

TEST_F(Resume, AFullDiskEndsWith74AndTheSameCommandGoesOnWhenThereIsRoom) {
  TrainingPlace unbroken(&place_);
  ASSERT_EQ(unbroken.penstock(training_flags, 2).code, 0);
  {
    TrainingJob job(place_, 2,
                    "export LD_PRELOAD='" PENSTOCK_BINARY_DIR
                    "/libfault_injection.so' FAULT_BELOW=/.penstock/progress/ FAULT_AT=40 FAULT_DO=ENOSPC; ");
    const Ran full = job.process().wait();
    EXPECT_EQ(full.code, 74);
    EXPECT_THAT(full.error, testing::AllOf(HasSubstr("/progress/"), HasSubstr("No space left on device")));
  }
  go_on(2);
  EXPECT_EQ(results_of(place_), results_of(unbroken));
}

}  // namespace
}  // namespace penstock
