// What a rank is doing, as its own code declares it: the watchdog reports it and derives its deadlines from it. Also
// the time at which the job must end, and from past durations an estimate of how long stopping takes.
//
// Threads: any. A rank has one, made by the launcher and passed to its stages. Each call costs a lock and a clock read.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace penstock::distributed {

// Decides how long others may wait for a rank in a collective.
enum class Activity {
  idle,        // waits for the next order; no limit, neither for it nor for those that it waits for
  alone,       // work that the others expect to wait for; no limit
  working,     // a stage's body that declares nothing more specific
  reading,     // input
  loading,     // a checkpoint
  saving,      // a checkpoint
  stepping,    // a step of training: its limit follows from the steps before
  validating,  // likewise
  failing,     // has thrown; either all ranks end together or this one ends the job
};
inline constexpr size_t activity_count = 9;

class Watch {
 public:
  // The shortest limit of a step, after which it counts as stuck; all other limits are multiples of it.
  static constexpr std::chrono::milliseconds usual_patience{8000};
  explicit Watch(std::chrono::milliseconds patience = usual_patience) : patience_(patience) {}

  // An activity, until the object is destroyed.
  class [[nodiscard]] Doing {
   public:
    Doing(Watch& watch, int64_t token) : watch_(&watch), token_(token) {}
    Doing(Doing&& other) noexcept : watch_(std::exchange(other.watch_, nullptr)), token_(other.token_) {}
    Doing& operator=(Doing&&) = delete;
    ~Doing() {
      if (watch_ != nullptr) watch_->end(token_);
    }

   private:
    Watch* watch_;
    int64_t token_;
  };
  // These nest: the innermost decides the limit, and all are reported ("train, step 812").
  Doing stage(std::string name) { return begin(Activity::working, std::move(name)); }
  Doing alone(std::string what) { return begin(Activity::alone, std::move(what)); }
  Doing reading(std::string file) { return begin(Activity::reading, "reading " + std::move(file)); }
  Doing loading(std::string file) { return begin(Activity::loading, "loading " + std::move(file)); }
  Doing saving(std::string what) { return begin(Activity::saving, "saving " + std::move(what)); }
  Doing validating() { return begin(Activity::validating, "validation"); }
  Doing step(int64_t number) { return begin(Activity::stepping, "step " + std::to_string(number)); }
  Doing failing(const std::string& message) { return begin(Activity::failing, "failed: " + message); }

  // Registers `record` until the returned object is destroyed: it is called when the watchdog ends the job, at most
  // once, on the watchdog's thread, with the reason.
  class [[nodiscard]] LastWords {
   public:
    LastWords(Watch& watch, int64_t token) : watch_(watch), token_(token) {}
    LastWords(const LastWords&) = delete;
    LastWords& operator=(const LastWords&) = delete;
    ~LastWords() { watch_.withdraw(token_); }

   private:
    Watch& watch_;
    int64_t token_;
  };
  LastWords if_job_ends(std::function<void(const std::string& reason)> record);
  // Called by the watchdog just before it ends the job.
  void job_ends(const std::string& reason);

  struct Standing {
    Activity activity = Activity::idle;
    std::string where;         // empty: between stages
    double seconds = 0;        // since it last began or ended an activity
    double limit_seconds = 0;  // how long others may wait for it here; may be infinity
  };
  Standing standing() const;

  // The job must have ended by `end`; the same on all ranks.
  void end_at(std::chrono::steady_clock::time_point end);
  bool has_end() const;
  double seconds_left() const;  // infinity without an end
  // Estimated time from a request to stop to the end: the work under way, a checkpoint, leaving.
  double seconds_to_stop() const;

  // Of the activities that have ended; 0 without any.
  double median_seconds(Activity activity) const;
  double longest_seconds(Activity activity) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    int64_t token;
    Activity activity;
    std::string what;
    Clock::time_point began;
  };
  Doing begin(Activity activity, std::string what);
  void end(int64_t token);
  void withdraw(int64_t token);
  double median_of(Activity activity) const;
  double limit_of(Activity activity) const;

  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // from the outermost
  int64_t last_token_ = 0;
  Clock::time_point last_word_ = Clock::now();
  std::array<std::deque<double>, activity_count> recent_;  // seconds of the last few of each activity
  std::array<double, activity_count> longest_ = {};
  std::optional<Clock::time_point> end_;

  std::mutex last_words_mutex_;  // held while they are called
  std::map<int64_t, std::function<void(const std::string&)>> last_words_;
  int64_t last_words_token_ = 0;
};

// For bodies that no watchdog watches: takes every call, and is read by nothing.
Watch& unwatched();

}  // namespace penstock::distributed
