#include "distributed/watchdog/watchdog.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "distributed/check.h"
#include "distributed/watchdog/judgement.h"
#include "distributed/watchdog/watched_communicator.h"
#include "distributed/world.h"

namespace penstock::distributed {
namespace {

constexpr int beat_tag = 1;
constexpr size_t news_at_once = 500;  // entries a beat and listener
// A judge that has found a cause gives the judges before it this long to report it first.
constexpr std::chrono::milliseconds turn{1000};
// After a pause of this process longer than this, its own waiting counts from now on.
constexpr std::chrono::milliseconds own_pause{1000};

std::string machine() { return fmt::format("{}, process {}", host_name(), getpid()); }

Watchdog::Options checked(Watchdog::Options options) {
  PENSTOCK_CHECK(options.interval.count() > 0 && options.patience > options.interval,
                 fmt::format("several beats fit into the patience, found {} ms and an interval of {} ms",
                             options.patience.count(), options.interval.count()));
  return options;
}

}  // namespace

Watchdog::Watchdog(std::unique_ptr<Communicator>& ranks, Watch& watch, Options options)
    : watch_(watch),
      options_(checked(std::move(options))),
      ranks_(ranks->duplicate("the watchdogs' ranks")),
      log_(std::make_shared<CollectiveLog>(judges)),
      machine_(machine()),
      table_(ranks_->size(), heard_ranks(), std::chrono::steady_clock::now()) {
  ranks = watched(std::move(ranks), log_, "the job");
  thread_ = std::thread([this] { work(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::vector<int> Watchdog::heard_ranks() const {
  std::vector<int> all(judges_all() ? ranks_->size() : std::min(judges, ranks_->size()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void Watchdog::work() {
  auto looked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  try {
    while (!changed_.wait_for(lock, options_.interval, [this] { return closing_; })) {
      const auto now = std::chrono::steady_clock::now();
      if (now - looked > options_.interval + own_pause) table_.forgive(now);
      looked = now;
      lock.unlock();
      look(now);
      lock.lock();
    }
    beat(true, std::chrono::steady_clock::now());
  } catch (const Error&) {
    // The job is being ended; the rank that ends it reports why.
  }
}

void Watchdog::look(Time now) {
  hear(now);
  beat(false, now);
  if (verdict_.empty()) judge_ranks(now);
}

void Watchdog::hear(Time now) {
  while (auto message = ranks_->poll(any_rank, beat_tag)) {
    Beat beat = beat_from_message(message->bytes);
    if (beat.stops && options_.stops != nullptr) options_.stops->store(true);
    if (!beat.verdict.empty() && verdict_.empty()) {
      verdict_ = beat.verdict;
      if (options_.tell) options_.tell(verdict_, false);
      watch_.job_ends(verdict_);
    }
    table_.hear(message->from, std::move(beat), now);
  }
}

void Watchdog::beat(bool leaves, Time now) {
  Beat mine;
  mine.stops = options_.stops != nullptr && options_.stops->load();
  mine.leaves = leaves;
  mine.verdict = verdict_;
  mine.machine = machine_;
  mine.standing = watch_.standing();
  mine.still_seconds = log_->still_seconds();
  mine.inside = log_->inside();
  for (int to = 0; to < (judges_all() ? ranks_->size() : judges); ++to) {
    Beat beat = mine;
    if (to < judges) {  // read after `inside`, so that a judge knows the name of every collective that a rank is in
      CollectiveLog::News news = log_->news(to, news_at_once);
      beat.joined = std::move(news.joined);
      beat.dropped = std::move(news.dropped);
      beat.entered = std::move(news.entered);
    }
    if (to == ranks_->rank()) {
      table_.hear(to, std::move(beat), now);
      continue;
    }
    for (const std::string& message : to_messages(beat)) ranks_->try_send(to, beat_tag, message);
  }
}

void Watchdog::judge_ranks(Time now) {
  std::optional<std::string> report;
  if (judges_all()) {
    report = judge(table_, options_.patience, now);
  } else {
    std::vector<int> silent;
    for (const int rank : table_.listened()) {
      if (table_.silent_seconds(rank, now) * 1000 >= static_cast<double>(options_.patience.count()))
        silent.push_back(rank);
    }
    if (silent.size() == table_.listened().size()) report = report_of_silence(table_, silent, options_.patience, now);
  }
  if (!report) {
    found_ = {};
    return;
  }
  if (found_ == Time()) found_ = now;
  if (now - found_ >= deference(now)) end_job(*report);
}

// How long a report is held back for the ranks before this one, which may be about to report the same.
std::chrono::milliseconds Watchdog::deference(Time now) const {
  const int rank = ranks_->rank();
  if (!judges_all()) return std::min(rank - judges, 8) * turn / 4;
  const bool first_lives =
      rank > 0 && !table_.has_left(0) && table_.silent_seconds(0, now) < std::chrono::duration<double>(turn).count();
  return first_lives ? turn : std::chrono::milliseconds(0);
}

void Watchdog::end_job(const std::string& report) {
  verdict_ = report.substr(0, report.find('\n'));
  if (options_.tell) options_.tell(report, true);
  watch_.job_ends(verdict_);
  beat(false, std::chrono::steady_clock::now());
  ranks_->abort(ExitCode::ranks);
}

}  // namespace penstock::distributed
