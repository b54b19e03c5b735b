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
  const std::string wanted = std::string(1, '\0') + "OMPI_COMM_WORLD_RANK=" + std::to_string(rank) + '\0';
  for (const pid_t child : children_of(job.pid())) {
    if ((text_of("/proc/" + std::to_string(child) + "/environ") + '\0').find(wanted) != std::string::npos) return child;
  }
  return 0;
}

// Eight micro-shards a step, so that each of up to four ranks accumulates several; four steps an epoch; a checkpoint
// after each.
inline constexpr const char* training_flags =
    "run pipeline.toml --set train.global_batch=16 --set train.epochs=15 --set train.checkpoint_seconds=0";
inline constexpr int64_t micro_shards = 8, steps_of_training = 60;
// Where most tests meet it: in the middle of an epoch.
inline constexpr int64_t disturbed_step = 23;

// What is put before a program so that the ranks of its job stay in a step: see step_gate.cpp.
inline std::string gate_at(int64_t step, const std::string& more = "") {
  return preloaded("step_gate", "GATE_STEP=" + std::to_string(step) + " " + more);
}

// A folder in which the stages before training are done.
class TrainingPlace : public Workplace {
 public:
  // Those of `ready`, which has run prepare().
  explicit TrainingPlace(const TrainingPlace* ready = nullptr) {
    if (ready == nullptr) return;
    write("pipeline.toml", text_of(ready->path() / "pipeline.toml"));
    std::filesystem::copy(ready->path() / ".penstock", path() / ".penstock", std::filesystem::copy_options::recursive);
  }
  void prepare() const {
    const Ran ran = penstock(std::string(training_flags) + " --until split", 2);
    ASSERT_EQ(ran.code, 0) << ran.error;
  }

  // The numbers of the steps, or of those that checkpoints were made after, that all runs in this folder recorded, in
  // order.
  std::vector<int64_t> recorded(const std::string& event) const {
    std::vector<int64_t> numbers;
    std::istringstream lines(text_of(path() / "runs/small/events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"event\":\"" + event + "\"") == std::string::npos || line.back() != '}') continue;
      numbers.push_back(nlohmann::json::parse(line).at("step").get<int64_t>());
    }
    return numbers;
  }
  std::vector<int64_t> steps() const { return recorded("step"); }
  int64_t furthest_step() const {
    const auto all = steps();
    return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
  }
};

// What a finished run leaves that must not depend on how it came about.
struct Results {
  std::map<std::string, std::string> published;  // weights, curves, metrics, predictions: digests by stage and port
  std::string metrics;                           // metrics.json
  std::string report;                            // report.html without times and attempts
  bool operator==(const Results&) const = default;
};

inline std::string lasting_part(const std::string& report) {
  std::string text;
  for (const char* id : {"data", "network", "training", "threshold", "scores", "pictures"}) {
    const size_t begin = report.find("<section id=\"" + std::string(id) + "\">");
    EXPECT_NE(begin, std::string::npos) << id;
    if (begin != std::string::npos) text += report.substr(begin, report.find("</section>", begin) - begin);
  }
  const auto erase_item_with = [&text](const char* words) {
    const size_t at = text.find(words);
    if (at == std::string::npos) return false;
    const size_t item = text.rfind("<li>", at);
    text.erase(item, text.find("</li>", item) - item);
    return true;
  };
  // "2 ranks with 1 thread each, 300 images/s; 3 checkpoints, for which training waited ...; resumed 1 time"
  EXPECT_TRUE(erase_item_with(", for which training waited "));
  erase_item_with("Samples were read from the shards while");  // how long steps waited for them
  return text;
}

inline Results results_of(const TrainingPlace& place) {
  const auto runs = place.path() / "runs/small";
  return {place.published(), text_of(runs / "metrics.json"), lasting_part(text_of(runs / "report.html"))};
}

// A started training. Ended, by force if need be, with this object.
class TrainingJob {
 public:
  // `before` is put before the program: gate_at(...), or "export NAME=value; ". The watchdog leaves a slow machine
  // alone unless `before` sets another patience.
  TrainingJob(const TrainingPlace& place, int ranks, const std::string& before = "", const std::string& flags = "")
      : place_(place),
        ranks_(ranks),
        known_(place.steps().size()),
        process_("export PENSTOCK_WATCHDOG=600; " + before + without_marks(place, ranks) + training_flags + " " + flags,
                 place.path()) {}

  Process& process() { return process_; }
  // False: it ended before, or hangs.
  bool wait_for(const std::function<bool()>& there) {
    return wait_until([&] { return there() || !process_.running(); }) && there();
  }
  // Until this run has recorded a step at or after `step`.
  bool wait_for_step(int64_t step) {
    return wait_for([&] {
      const auto all = place_.steps();
      return all.size() > known_ && all.back() >= step;
    });
  }
  // Until all ranks stand in the step of gate_at().
  bool wait_at_gate() {
    return wait_for([&] {
      for (int rank = 0; rank < ranks_; ++rank) {
        if (!std::filesystem::exists(place_.path() / ("at-gate-" + std::to_string(rank)))) return false;
      }
      return true;
    });
  }
  void open_gate() const { place_.write("gate-open", ""); }
  bool kill(int rank, int signal) {
    const pid_t victim = process_of_rank(process_, rank);
    return victim > 0 && ::kill(victim, signal) == 0;
  }

 private:
  // The words before the flags, once the marks of an earlier job are gone.
  static std::string without_marks(const TrainingPlace& place, int ranks) {
    for (int rank = 0; rank < ranks; ++rank)
      std::filesystem::remove(place.path() / ("at-gate-" + std::to_string(rank)));
    std::filesystem::remove(place.path() / "gate-open");
    return place.program(ranks);
  }

  const TrainingPlace& place_;
  const int ranks_;
  size_t known_;
  Process process_;
};

}  // namespace penstock
