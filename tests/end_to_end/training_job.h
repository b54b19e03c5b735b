// A small training under mpirun that is watched and disturbed from outside: by signals to its ranks and by what is
// preloaded into them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <sstream>
#include <vector>

#include "workplace.h"

namespace penstock {

// The process of a rank of a job whose process is mpirun; 0: there is none.
inline pid_t process_of_rank(const Process& job, int rank) {
  const std::string mpirun = std::to_string(job.pid());
  std::istringstream children(text_of("/proc/" + mpirun + "/task/" + mpirun + "/children"));
  const std::string wanted = std::string(1, '\0') + "OMPI_COMM_WORLD_RANK=" + std::to_string(rank) + '\0';
  for (pid_t child = 0; children >> child;) {
    if ((text_of("/proc/" + std::to_string(child) + "/environ") + '\0').find(wanted) != std::string::npos) return child;
  }
  return 0;
}

// Eight micro-shards a step, so that each of up to four ranks accumulates several; four steps an epoch.
inline constexpr const char* training_flags =
    "run pipeline.toml --set train.global_batch=16 --set train.epochs=15 --set train.checkpoint_seconds=0.05";
inline constexpr int64_t micro_shards = 8, steps_of_training = 60;

// A folder in which the stages before training are done.
class TrainingPlace : public Workplace {
 public:
  // Those of `ready`, which has run prepare().
  explicit TrainingPlace(const TrainingPlace* ready = nullptr) {
    if (ready != nullptr)
      std::filesystem::copy(ready->path() / ".penstock", path() / ".penstock",
                            std::filesystem::copy_options::recursive);
  }
  void prepare() const {
    const Ran ran = penstock(std::string(training_flags) + " --until split", 2);
    ASSERT_EQ(ran.code, 0) << ran.error;
  }

  // The numbers of the steps, or of those that checkpoints were made after, that all runs in this folder told of, in
  // order.
  std::vector<int64_t> told(const std::string& event) const {
    std::vector<int64_t> numbers;
    std::istringstream lines(text_of(path() / "runs/small/events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"event\":\"" + event + "\"") == std::string::npos || line.back() != '}') continue;
      numbers.push_back(nlohmann::json::parse(line).at("step").get<int64_t>());
    }
    return numbers;
  }
  std::vector<int64_t> steps() const { return told("step"); }
  int64_t furthest_step() const {
    const auto all = steps();
    return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
  }
};

// What a finished run leaves that must not hang on how it came about.
struct Results {
  std::map<std::string, std::string> published;  // weights, curves, metrics, predictions: digests by stage and port
  std::string metrics;                           // metrics.json
  std::string report;                            // report.html without what tells of times and attempts
  bool operator==(const Results&) const = default;
};

inline std::string lasting_part(const std::string& report) {
  std::string text;
  for (const char* id : {"data", "network", "training", "threshold", "scores", "pictures"}) {
    const size_t begin = report.find("<section id=\"" + std::string(id) + "\">");
    EXPECT_NE(begin, std::string::npos) << id;
    if (begin != std::string::npos) text += report.substr(begin, report.find("</section>", begin) - begin);
  }
  // "2 rank(s) with 1 thread(s), 300 images/s; ..., resumed 1 time(s)"
  const size_t told = text.rfind("<li>", text.find(" rank(s) with "));
  EXPECT_NE(told, std::string::npos);
  return text.erase(told, text.find("</li>", told) - told);
}

inline Results results_of(const TrainingPlace& place) {
  const auto runs = place.path() / "runs/small";
  return {place.published(), text_of(runs / "metrics.json"), lasting_part(text_of(runs / "report.html"))};
}

// A started training. Ended, by force if need be, with this object.
class TrainingJob {
 public:
  // `environment` stands before the program: "export NAME=value; ".
  TrainingJob(const TrainingPlace& place, int ranks, const std::string& environment = "", const std::string& flags = "")
      : place_(place),
        known_(place.steps().size()),
        process_(environment + place.program(ranks) + training_flags + " " + flags, place.path()) {}

  Process& process() { return process_; }
  // False: it ended before.
  bool wait_until(const std::function<bool()>& there) {
    while (!there()) {
      if (!process_.running()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  // Until this run has told of a step at or after `step`.
  bool wait_for_step(int64_t step) {
    return wait_until([&] {
      const auto all = place_.steps();
      return all.size() > known_ && all.back() >= step;
    });
  }
  bool kill(int rank, int signal) {
    const pid_t victim = process_of_rank(process_, rank);
    return victim > 0 && ::kill(victim, signal) == 0;
  }

 private:
  const TrainingPlace& place_;
  size_t known_;
  Process process_;
};

}  // namespace penstock
