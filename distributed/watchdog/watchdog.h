// Ends a job in which ranks can no longer go on, and says who waits for whom and why.
//
// Every rank has one, with a thread and a communicator of its own; they tell each other a few times a second where
// their ranks are, by messages that nobody waits for. Ranks 0 and 1 hear all and judge (the second in case the first is
// what has stopped); the others hear these two. It also carries the wish to stop from any rank to all.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "distributed/communicator.h"
#include "distributed/watchdog/collective_log.h"
#include "distributed/watchdog/rank_table.h"
#include "distributed/watchdog/watch.h"

namespace penstock::distributed {

class Watchdog {
 public:
  struct Options {
    std::chrono::milliseconds patience = Watch::usual_patience;
    std::chrono::milliseconds interval{100};  // between beats
    std::atomic<bool>* stops = nullptr;       // raised here when it is raised on any rank
    // Called at most once, on the watchdog's thread: with the report on the rank that then ends the job with exit code
    // 76, with its first line (`mine` false) on the others. Flush what is written.
    std::function<void(const std::string& report, bool mine)> tell = nullptr;
  };

  // Collective. `ranks` becomes a communicator whose collectives are watched; `watch` outlives this.
  Watchdog(std::unique_ptr<Communicator>& ranks, Watch& watch, Options options);
  // Local: tells the others that this rank's work is over.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  using Time = RankTable::Time;
  static constexpr int judges = 2;
  bool judges_all() const { return ranks_->rank() < judges; }
  std::vector<int> heard_ranks() const;
  void work();
  void look(Time now);
  void hear(Time now);
  void beat(bool leaves, Time now);
  void judge_ranks(Time now);
  std::chrono::milliseconds deference(Time now) const;
  void end_job(const std::string& report);

  Watch& watch_;
  const Options options_;
  const std::unique_ptr<Communicator> ranks_;  // the watchdogs'
  const std::shared_ptr<CollectiveLog> log_;
  const std::string machine_;
  RankTable table_;
  std::string verdict_;  // of this rank, or what it has heard of another's
  Time found_{};         // since when a report is held back for another judge; zero: there is none

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace penstock::distributed
