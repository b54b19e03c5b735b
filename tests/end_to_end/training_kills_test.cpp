// Ranks of a training killed with SIGKILL at any moment: between steps, among the micro-shards of a step, in the middle
// of saving a checkpoint; once or three times in a run. It ends with what an unbroken run gives, to the last bit.
//
// Every kill is certain to come before the end: at a call that a run is certain to make, or at a time before which its
// ranks wait in a later step (step_gate.cpp).
//
// The plain training of most tests, and one with all that training can do.
//
// A sample of what tests/benchmarks/training_kills does at length (PENSTOCK_KILLS=<runs>, PENSTOCK_KILLS_FIRST=<number
// of the first>: each number is a run of its own random draws).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "training_job.h"

namespace penstock {
namespace {

int number_in(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Fewer than a save makes below the folder of checkpoints: of each of its two files it opens, writes, syncs and renames
// one, and it syncs the folder. A training saves after each step.
constexpr int calls_of_a_save = 8;
// A gate so many steps after the step at which a kill is sent: it comes on its way there or, on a slow machine, at it.
constexpr int64_t steps_to_gate = 12;

// Where a kill hits.
enum class Moment { any, accumulating, saving, saving_of_another };
constexpr Moment moments[] = {Moment::any, Moment::saving, Moment::accumulating, Moment::saving_of_another};

// One run: killed, started again, killed again ..., and ended.
class KilledRun {
 public:
  KilledRun(const TrainingPlace& ready, int number)
      : place_(&ready), number_(number), random_(static_cast<unsigned>(number) * 7919 + 1) {}

  // Kills `count` times, at the moments that follow `first`; false: one did not come.
  bool kill(int count, int first) {
    int ranks = 2 + number_ % 3;
    for (int kill = 0; kill < count; ++kill) {
      const int64_t left = steps_of_training - place_.furthest_step();
      if (!kill_once(moments[(first + kill) % 4], ranks, static_cast<int>(left) / (count - kill))) return false;
      if (count > 1) ranks = 2 + below(3);  // a chain continues with other rank counts: the bits are those of any
    }
    ranks_ = ranks;
    return true;
  }
  Results end() {
    story_ += fmt::format("; ended by {} ranks", ranks_);
    const Ran ran = place_.penstock(training_flags, ranks_);
    EXPECT_EQ(ran.code, 0) << ran.error;
    return results_of(place_);
  }
  const std::string& story() const { return story_; }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(std::max(limit, 1))); }

  // Within the next `steps` steps.
  bool kill_once(Moment moment, int ranks, int steps) {
    const int victim = below(ranks);
    bool came = false;
    if (moment == Moment::any) came = kill_at_any_time(ranks, victim, steps);
    if (moment == Moment::accumulating) came = kill_accumulating(ranks, victim, steps);
    if (moment == Moment::saving) came = kill_saving(ranks, steps);
    if (moment == Moment::saving_of_another) came = kill_while_another_saves(ranks, victim, steps);
    story_ += fmt::format(" after step {}", place_.furthest_step());
    return came;
  }
  bool kill_at_any_time(int ranks, int victim, int steps) {
    const int64_t step = std::min(place_.furthest_step() + below(steps), steps_of_training - 1);
    TrainingJob job(place_, ranks, gate_at(std::min(step + steps_to_gate, steps_of_training)));
    const bool came = job.wait_for_step(step);
    std::this_thread::sleep_for(std::chrono::microseconds(below(30000)));
    tell(ranks, fmt::format("rank {}", victim));
    return came && job.kill(victim, SIGKILL) && died(job);
  }
  bool kill_accumulating(int ranks, int victim, int steps) {
    const int share = static_cast<int>(micro_shards) / ranks;  // or one more
    const int at = below(steps - 1) * share + 2 + below(share - 1);
    TrainingJob job(place_, ranks, preloaded("kill_in_step", fmt::format("KILL_RANK={} KILL_AT={}", victim, at)));
    tell(ranks, fmt::format("rank {} at its micro-shard {}", victim, at));
    return died(job);
  }
  bool kill_saving(int ranks, int steps) {
    const int at = 1 + below(calls_of_a_save * steps);
    const char* how = below(2) == 0 ? "kill" : "half";
    TrainingJob job(place_, ranks, fault(at, how));
    tell(ranks,
         fmt::format("rank 0 at call {} of its saves{}", at, std::string(how) == "half" ? ", half written" : ""));
    return died(job);
  }
  bool kill_while_another_saves(int ranks, int victim, int steps) {
    const auto held = place_.path() / "held";
    std::filesystem::remove(held);
    const int at = 1 + below(calls_of_a_save * steps);
    TrainingJob job(place_, ranks, fault(at, "hold"));
    const bool came = job.wait_for([&] { return std::filesystem::exists(held); });
    tell(ranks, fmt::format("rank {} while rank 0 is in call {} of its saves", victim, at));
    return came && job.kill(victim, SIGKILL) && died(job);
  }
  static std::string fault(int at, const char* what) {
    return preloaded("fault_injection",
                     fmt::format("FAULT_BELOW=/.penstock/progress/ FAULT_AT={} FAULT_DO={}", at, what));
  }
  static bool died(TrainingJob& job) { return job.process().wait().code == 128 + SIGKILL; }
  void tell(int ranks, const std::string& what) {
    story_ += fmt::format("{}{} of {}", story_.empty() ? "" : "; ", what, ranks);
  }

  TrainingPlace place_;
  int number_;
  std::mt19937 random_;
  int ranks_ = 2;
  std::string story_;
};

// Pictures of their own shape in crops, every augmentation, five targets, attention and side outputs, averages,
// warm-up, samples read while it trains. About as many crops as samples, so that there are as many steps as in the
// plain one.
std::string pipeline_with_everything() {
  return changed_pipeline(
      {{"width = 32\nheight = 32", "mode = \"fit\"\nwidth = 36\nheight = 36"},
       {"inputs = { shards = \"shard.shards\", split = \"split.index\" }\n",
        "inputs = { shards = \"shard.shards\", split = \"split.index\", metadata = \"inspect.metadata\" }\n"
        "network = \"attention_unet\"\ndeep_supervision = 1\ndropout = 0.1\n"
        "targets = [\"mask\", \"interior\", \"border\", \"horizontal\", \"vertical\"]\nseparation = { weight = 5, "
        "sigma = 3 }\n"
        "losses.interior = \"tversky\"\nschedule = \"cosine\"\nwarm_up = 1\nema = 0.9\nclip_norm = 1\n"
        "crop = 32\nforeground = 0.5\nbalance = \"look\"\nnormalise = \"percentile\"\ncache_bytes = 20000\n"
        "augment = [\"flip\", \"rot90\", \"scale\", \"rotate\", \"shear\", \"elastic\", \"gamma\", \"invert\", "
        "\"invert_bright\", \"gain\", \"offset\", \"clahe\", \"colour\", \"stain\", \"grey\", \"blur\", \"noise\"]\n"},
       {"metadata = \"inspect.metadata\" }\n[stage.report]",
        "metadata = \"inspect.metadata\" }\ndecoder = \"components\"\nsubsets = [\"validation\", \"test\"]\n"
        "[stage.report]"}});
}

void expect_kills_change_nothing(const std::string& pipeline, int runs, int first) {
  TrainingPlace ready;
  ready.write("pipeline.toml", pipeline);
  ready.prepare();
  TrainingPlace unbroken(&ready);
  ASSERT_EQ(unbroken.penstock(training_flags, 2).code, 0);
  const Results expected = results_of(unbroken);
  ASSERT_EQ(unbroken.furthest_step(), steps_of_training);

  int kills = 0, equal = 0, missed = 0;
  for (int number = first; number < first + runs; ++number) {
    const int count = number % 3 == 2 ? 3 : 1;
    KilledRun run(ready, number);
    const bool killed =
        run.kill(count, number / 3 * 5 + number % 3);  // each moment alone, and in each place of a chain
    const Results results = run.end();
    kills += killed ? count : 0;
    missed += !killed;
    equal += results == expected;
    EXPECT_TRUE(killed) << "run " << number << ": " << run.story();
    EXPECT_EQ(results.published, expected.published) << "run " << number << ": " << run.story();
    EXPECT_EQ(results.metrics, expected.metrics) << "run " << number << ": " << run.story();
    EXPECT_TRUE(results.report == expected.report) << "run " << number << ": " << run.story();
    std::cout << fmt::format("run {}: {}: {}\n", number, run.story(), results == expected ? "equal" : "DIFFERENT")
              << std::flush;
  }
  std::cout << fmt::format("{} of {} runs end as the unbroken one; {} kills; in {} runs a kill did not come\n", equal,
                           runs, kills, missed);
}

TEST(TrainingKills, EveryRunEndsWithTheUnbrokenRunsWeightsMetricsAndReport) {
  expect_kills_change_nothing(small_pipeline, number_in("PENSTOCK_KILLS", 6), number_in("PENSTOCK_KILLS_FIRST", 0));
}

// Ten kills in six runs.
TEST(TrainingKills, SoDoesOneThatDoesAllThatTrainingCan) {
  expect_kills_change_nothing(pipeline_with_everything(), number_in("PENSTOCK_KILLS", 6),
                              number_in("PENSTOCK_KILLS_FIRST", 0));
}

}  // namespace
}  // namespace penstock
