#include "pipeline/store/attempt.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>

#include "distributed/world.h"
#include "pipeline/whole_number.h"

namespace penstock::pipeline {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

rusage usage() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  return used;
}

double cpu_seconds_of(const rusage& used) { return seconds_of(used.ru_utime) + seconds_of(used.ru_stime); }

}  // namespace

std::string utc_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Value to_json(const Attempt& attempt) {
  return {{"attempt", attempt.number},
          {"start", attempt.start},
          {"wall_seconds", attempt.wall_seconds},
          {"cpu_seconds", attempt.cpu_seconds},
          {"peak_memory_bytes", attempt.peak_memory_bytes},
          {"ranks", attempt.ranks},
          {"threads", attempt.threads},
          {"host", attempt.host},
          {"reason", attempt.reason},
          {"exit_code", attempt.exit_code},
          {"message", attempt.message},
          {"log", attempt.log}};
}

namespace {

// Throws where it is no whole number that T holds.
template <typename T>
T number_in(const Value& json, const char* name, T otherwise) {
  return json.contains(name) ? whole_number<T>(json.at(name)).value() : otherwise;
}

}  // namespace

Attempt attempt_from_json(const Value& json) {
  Attempt attempt;
  attempt.number = number_in(json, "attempt", 0);
  attempt.start = json.value("start", "");
  attempt.wall_seconds = json.value("wall_seconds", 0.0);
  attempt.cpu_seconds = json.value("cpu_seconds", 0.0);
  attempt.peak_memory_bytes = number_in(json, "peak_memory_bytes", int64_t{0});
  attempt.ranks = number_in(json, "ranks", 1);
  attempt.threads = number_in(json, "threads", 1);
  attempt.host = json.value("host", "");
  attempt.reason = json.value("reason", "");
  attempt.exit_code = number_in(json, "exit_code", 0);
  attempt.message = json.value("message", "");
  attempt.log = json.value("log", "");
  return attempt;
}

AttemptClock::AttemptClock() : cpu_seconds_(cpu_seconds_of(usage())) {}

double AttemptClock::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - steady_).count();
}

void AttemptClock::stop(Attempt& attempt) const {
  const rusage used = usage();
  attempt.start = utc_text(start_);
  attempt.wall_seconds = seconds();
  attempt.cpu_seconds = cpu_seconds_of(used) - cpu_seconds_;
  attempt.peak_memory_bytes = int64_t{used.ru_maxrss} * 1024;
  attempt.host = distributed::host_name();
}

}  // namespace penstock::pipeline
