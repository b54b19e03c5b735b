// Killed at any moment, the same command goes on where it was, and ends with the bytes of an unbroken run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "workplace.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

constexpr const char* train_long_enough =
    "run pipeline.toml --set train.epochs=12 --set train.checkpoint_seconds=0.2 --until train";

// A process id of the job's n-th penstock process, or 0 when there is none (yet).
pid_t find_rank(const Workplace& place, int rank) {
  const Ran found = run("for e in /proc/[0-9]*/environ; do tr '\\0' '\\n' < $e 2>/dev/null | grep -qx OMPI_COMM_WORLD_RANK=" +
                            std::to_string(rank) + " && tr '\\0' '\\n' < $e | grep -qxF 'XDG_CACHE_HOME=" +
                            (place.path() / "cache").string() + "' && basename $(dirname $e); done; true",
                        place.path());
  return found.out.empty() ? 0 : std::stoi(found.out);
}

bool has_checkpoint(const Workplace& place) {
  const auto progress = place.path() / ".penstock/progress";
  if (!std::filesystem::exists(progress)) return false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(progress)) {
    if (entry.is_regular_file()) return true;
  }
  return false;
}

TEST(Resume, TenKillsOfARankInTrainingEndWithTheUnbrokenRunsWeights) {
  Workplace unbroken;
  ASSERT_EQ(unbroken.penstock(train_long_enough, 2).code, 0);
  const std::string expected = unbroken.published().at("train.model");
  std::mt19937 random(7);
  int resumed = 0;
  for (int kill = 0; kill < 10; ++kill) {
    Workplace place;
    // The data stages and synthetic archive are the same for all: take them from the unbroken run's store.
    ASSERT_EQ(run("cp -r '" + (unbroken.path() / ".penstock").string() + "' . && rm -rf .penstock/progress", place.path()).code, 0);
    const std::string command = std::string(train_long_enough) + " --force=train";
    {
      Process process(place.program(2) + command, place.path());
      while (process.running() && !has_checkpoint(place)) std::this_thread::sleep_for(10ms);
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 800));
      const pid_t victim = find_rank(place, kill % 2);
      if (process.running() && victim > 0) {
        ::kill(victim, SIGKILL);
        ++resumed;
      }
      process.wait();
    }
    const Ran again = place.penstock(command, 2);
    ASSERT_EQ(again.code, 0) << again.error;
    EXPECT_EQ(place.published().at("train.model"), expected) << "kill " << kill << "\n" << again.error;
  }
  EXPECT_GE(resumed, 8) << "the kills came too late to prove anything";
}

TEST(Resume, Sigusr1SavesAndEndsWith75AndTheNextRunContinues) {
  Workplace place;
  {
    Process process(place.program(2) + train_long_enough, place.path());
    while (process.running() && !has_checkpoint(place)) std::this_thread::sleep_for(10ms);
    ::kill(process.pid(), SIGUSR1);
    EXPECT_EQ(process.wait().code, 75);
  }
  const Ran again = place.penstock(train_long_enough, 2);
  EXPECT_EQ(again.code, 0) << again.error;
  EXPECT_THAT(again.error, testing::HasSubstr("resum"));
}

}  // namespace
}  // namespace penstock
