#include "launch/job/time_budget.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "launch/job/job.h"

namespace penstock::launch {
namespace {

constexpr double shortest = 10;  // seconds
constexpr auto look_interval = std::chrono::milliseconds(100);

std::optional<double> length_of(char unit) {
  switch (unit) {
    case 'd':
      return 86400;
    case 'h':
      return 3600;
    case 'm':
      return 60;
    case 's':
      return 1;
    default:
      return std::nullopt;
  }
}

double unix_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

double seconds_of(const std::string& text) {
  const Error wrong(ExitCode::usage,
                    fmt::format("--time-budget: '{}' is not a length of time; write 3h50m, 90s or 1d2h", text));
  double seconds = 0;
  const char* at = text.c_str();
  if (*at == '\0') throw wrong;
  while (*at != '\0') {
    char* end = nullptr;
    const double count = std::strtod(at, &end);
    if (end == at || !std::isfinite(count) || count < 0) throw wrong;
    if (*end == '\0' && at == text.c_str()) return count;  // a plain number
    const auto unit = length_of(*end);
    if (!unit) throw wrong;
    seconds += count * *unit;
    at = end + 1;
  }
  return seconds;
}

std::optional<double> seconds_to_run(const std::string& asked, const distributed::Environment& environment,
                                     double unix_time) {
  double seconds = 0;
  std::string whose = "--time-budget " + asked;
  if (!asked.empty()) {
    seconds = seconds_of(asked);
  } else {
    const auto end = environment.find("SLURM_JOB_END_TIME");
    const double time = end == environment.end() ? 0 : std::strtod(end->second.c_str(), nullptr);
    if (time <= 0) return std::nullopt;
    seconds = time - unix_time;
    whose = fmt::format("Slurm ends this job in {:.0f} s (SLURM_JOB_END_TIME), which", seconds);
  }
  if (seconds >= shortest) return seconds;
  throw Error(
      ExitCode::environment,
      fmt::format("{} leaves no time to start, to work and to save: {:.0f} s at least are needed", whose, shortest));
}

std::optional<double> keep_time(distributed::Communicator& ranks, const std::string& asked) {
  std::optional<double> found;
  on_rank0(
      ranks, [&] { found = seconds_to_run(asked, distributed::process_environment(), unix_now()); }, "the time budget");
  double seconds = found.value_or(std::numeric_limits<double>::infinity());
  ranks.broadcast(distributed::buffer_of(&seconds, 1), 0, "the time budget");
  return std::isfinite(seconds) ? std::optional(seconds) : std::nullopt;
}

TimeKeeper::TimeKeeper(std::optional<double> seconds, distributed::Watch& watch, std::atomic<bool>& stops)
    : watch_(watch) {
  if (!seconds) return;
  watch.end_at(std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                      std::chrono::duration<double>(*seconds)));
  thread_ = std::thread([this, &stops] {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, look_interval, [this] { return closing_; })) {
      if (!is_over()) continue;
      stops.store(true);
      spdlog::info("{:.1f} s are left: saving and ending", watch_.seconds_left());
      return;
    }
  });
}

TimeKeeper::~TimeKeeper() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace penstock::launch
