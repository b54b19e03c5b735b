// Where a rank is and what it is doing, in its own words: what the watchdog reports, and what its deadlines are made
// of. Also how long it may go on, where the job has an end, and how long what it must still do takes, going by what it
// did.
//
// Threads: any. A rank has one. Telling it something costs a lock and a look at the clock.
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
  idle,        // waits to be told what comes next; has no limit, and nobody it waits for has one
  alone,       // work that the others know to wait for; no limit
  working,     // a stage's body that says nothing more of itself
  reading,     // input
  loading,     // a checkpoint
  saving,      // a checkpoint
  stepping,    // a step of training: its limit follows from the steps before
  validating,  // likewise
  failing,     // has thrown, and ends in an orderly way or ends the job
};
inline constexpr size_t activity_count = 9;

class Watch {
 public:
  // How long a step may take at least, before it counts as stuck; all other limits are multiples of it.
  static constexpr std::chrono::milliseconds usual_patience{8000};
  explicit Watch(std::chrono::milliseconds patience = usual_patience) : patience_(patience) {}

  // Said until it is destroyed.
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
  // These nest: the innermost decides the limit, and all are told ("train, step 812").
  Doing stage(std::string name) { return begin(Activity::working, std::move(name)); }
  Doing alone(std::string what) { return begin(Activity::alone, std::move(what)); }
  Doing reading(std::string file) { return begin(Activity::reading, "reading " + std::move(file)); }
  Doing loading(std::string file) { return begin(Activity::loading, "loading " + std::move(file)); }
  Doing saving(std::string what) { return begin(Activity::saving, "saving " + std::move(what)); }
  Doing validating() { return begin(Activity::validating, "validation"); }
  Doing step(int64_t number) { return begin(Activity::stepping, "step " + std::to_string(number)); }
  Doing failing(const std::string& message) { return begin(Activity::failing, "failed: " + message); }

  // What is to be put on record if the job is ended before the returned object is gone: called at most once, on another
  // thread, with the reason.
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
  // By whoever is about to end it.
  void job_ends(const std::string& reason);

  struct Standing {
    Activity activity = Activity::idle;
    std::string where;         // empty: between stages
    double seconds = 0;        // since the last word
    double limit_seconds = 0;  // how long others may wait for it here; infinity: as long as it takes
  };
  Standing standing() const;

  // The job must have ended by then; the same on all ranks.
  void end_at(std::chrono::steady_clock::time_point end);
  bool has_end() const;
  double seconds_left() const;  // infinity without an end
  // From a request to stop: what is under way, a save, and leaving.
  double seconds_to_stop() const;

  // Of those that have ended; 0 without any.
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

// For bodies that no watchdog looks at: it hears and forgets.
Watch& unwatched();

}  // namespace penstock::distributed
