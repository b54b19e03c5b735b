// Ends a job whose ranks can make no more progress, and reports which rank waits for which and why.
//
// Every rank has one, made by the launcher, with its own thread and communicator. Several times a second they send each
// other beats, messages that no one waits for. Ranks 0 and 1 receive all and judge (rank 1 in case rank 0 is the one
// that stopped); the others receive only these two. It also carries a request to stop from any rank to all.
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
    // 76, with its first line (`mine` false) on the others. It must flush what it writes.
    std::function<void(const std::string& report, bool mine)> tell = nullptr;
  };

  // Collective. `ranks` becomes a communicator whose collectives are watched; `watch` outlives this.
  Watchdog(std::unique_ptr<Communicator>& ranks, Watch& watch, Options options);
  // Local: a last beat says that this rank has finished.
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
  std::string verdict_;  // the report's first line: this rank's, or the first received
  Time found_{};         // when a report was first held back for another judge; zero: none is

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace penstock::distributed
