#include "distributed/watchdog/watch.h"

#include <algorithm>
#include <limits>

namespace penstock::distributed {
namespace {

constexpr size_t remembered = 31;  // durations, for a running median

// A step that takes four times the median counts as stuck: the job has then ended within five.
constexpr double times_median = 4;
// Durations needed before their median is used.
constexpr size_t steps_to_know = 3, validations_to_know = 2;

// Multiples of the patience. With the usual one: 2 minutes for the first steps, in which the compute libraries start;
// at least 1 minute for a validation; 15 minutes for files; 1 hour for a body that declares nothing.
constexpr double first_steps = 15, least_validation = 7.5, files = 112.5, silent_body = 450;

// Records, reports, the end of the processes.
constexpr double seconds_to_leave = 3;

}  // namespace

Watch::Doing Watch::begin(Activity activity, std::string what) {
  const std::lock_guard lock(mutex_);
  last_word_ = Clock::now();
  entries_.push_back({++last_token_, activity, std::move(what), last_word_});
  return {*this, last_token_};
}

void Watch::end(int64_t token) {
  const std::lock_guard lock(mutex_);
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [token](const Entry& one) { return one.token == token; });
  if (entry == entries_.end()) return;
  last_word_ = Clock::now();
  const auto which = static_cast<size_t>(entry->activity);
  const double seconds = std::chrono::duration<double>(last_word_ - entry->began).count();
  recent_[which].push_back(seconds);
  if (recent_[which].size() > remembered) recent_[which].pop_front();
  longest_[which] = std::max(longest_[which], seconds);
  entries_.erase(entry);
}

Watch::LastWords Watch::if_job_ends(std::function<void(const std::string&)> record) {
  const std::lock_guard lock(last_words_mutex_);
  last_words_.emplace(++last_words_token_, std::move(record));
  return {*this, last_words_token_};
}

void Watch::withdraw(int64_t token) {
  const std::lock_guard lock(last_words_mutex_);
  last_words_.erase(token);
}

void Watch::job_ends(const std::string& reason) {
  const std::lock_guard lock(last_words_mutex_);
  for (const auto& [token, record] : std::exchange(last_words_, {})) record(reason);
}

Watch::Standing Watch::standing() const {
  const std::lock_guard lock(mutex_);
  Standing standing;
  for (const Entry& entry : entries_) standing.where += (standing.where.empty() ? "" : ", ") + entry.what;
  if (!entries_.empty()) standing.activity = entries_.back().activity;
  standing.seconds = std::chrono::duration<double>(Clock::now() - last_word_).count();
  standing.limit_seconds = limit_of(standing.activity);
  return standing;
}

double Watch::median_of(Activity activity) const {
  const auto& all = recent_[static_cast<size_t>(activity)];
  if (all.empty()) return 0;
  std::vector<double> sorted(all.begin(), all.end());
  std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
  return sorted[sorted.size() / 2];
}

double Watch::limit_of(Activity activity) const {
  const double unit = std::chrono::duration<double>(patience_).count();
  const size_t seen = recent_[static_cast<size_t>(activity)].size();
  switch (activity) {
    case Activity::idle:
    case Activity::alone:
      break;
    case Activity::working:
      return silent_body * unit;
    case Activity::reading:
    case Activity::loading:
    case Activity::saving:
      return files * unit;
    case Activity::stepping:
      return seen < steps_to_know ? first_steps * unit : std::max(unit, times_median * median_of(activity));
    case Activity::validating:
      return seen < validations_to_know ? files * unit
                                        : std::max(least_validation * unit, times_median * median_of(activity));
    case Activity::failing:
      return unit;
  }
  return std::numeric_limits<double>::infinity();
}

void Watch::end_at(Clock::time_point end) {
  const std::lock_guard lock(mutex_);
  end_ = end;
}

bool Watch::has_end() const {
  const std::lock_guard lock(mutex_);
  return end_.has_value();
}

double Watch::seconds_left() const {
  const std::lock_guard lock(mutex_);
  return end_ ? std::chrono::duration<double>(*end_ - Clock::now()).count() : std::numeric_limits<double>::infinity();
}

// A request that comes just too late for a step waits for a validation and the next step.
double Watch::seconds_to_stop() const {
  const std::lock_guard lock(mutex_);
  const auto longest = [this](Activity activity) { return longest_[static_cast<size_t>(activity)]; };
  return 2 * longest(Activity::stepping) + longest(Activity::validating) + 2 * longest(Activity::saving) +
         seconds_to_leave;
}

double Watch::median_seconds(Activity activity) const {
  const std::lock_guard lock(mutex_);
  return median_of(activity);
}

double Watch::longest_seconds(Activity activity) const {
  const std::lock_guard lock(mutex_);
  return longest_[static_cast<size_t>(activity)];
}

Watch& unwatched() {
  static Watch watch;
  return watch;
}

}  // namespace penstock::distributed
