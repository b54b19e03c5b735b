// The record of one execution of a stage: when, where, how long, and how it ended. In no key.
#pragma once

#include <chrono>
#include <string>

#include "pipeline/value.h"

namespace penstock::pipeline {

// One execution of a stage, failed ones too.
struct Attempt {
  int number = 0;
  std::string start;  // ISO 8601, UTC
  double wall_seconds = 0;
  double cpu_seconds = 0;         // of rank 0's process
  int64_t peak_memory_bytes = 0;  // of rank 0's process
  int ranks = 1;
  int threads = 1;  // of rank 0
  std::string host;
  std::string reason;  // why it ran
  int exit_code = 0;
  std::string message;  // of a failure
  std::string log;      // its last lines
};

Value to_json(const Attempt& attempt);
Attempt attempt_from_json(const Value& json);

std::string utc_text(std::chrono::system_clock::time_point time);  // ISO 8601: "2026-01-31T12:00:00Z"

// Measures this process from construction on.
class AttemptClock {
 public:
  AttemptClock();
  // Fills start, wall, processor, peak memory and host.
  void stop(Attempt& attempt) const;
  double seconds() const;

 private:
  std::chrono::system_clock::time_point start_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point steady_ = std::chrono::steady_clock::now();
  double cpu_seconds_;
};

}  // namespace penstock::pipeline
