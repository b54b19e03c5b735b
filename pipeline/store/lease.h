// Claims on action keys, so that two runs on one store do not do the same work at once. They only save double work:
// what is published is right, whichever run held the lease.
//
// A lease is a file that its holder keeps rewriting with a growing beat. One whose holder was a process of this machine
// is broken at once when that process is gone, and never while it lives; any other when its beat has not changed for a
// while on the observer's own clock: no clock and no pid is compared across machines.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "pipeline/digest.h"
#include "pipeline/process_mark.h"

namespace penstock::pipeline {

struct LeaseHolder {
  std::string token;  // of this claim
  std::string host = "an unknown machine";
  std::string boot;  // boot id of the machine
  std::string pid_namespace;
  int64_t pid = 0;
  int64_t started = 0;  // of the process, in clock ticks since boot
  std::string stage;
  std::string since;  // ISO 8601, UTC
  int64_t beat = 0;

  std::string described() const;  // "pid 4711 on node3, since 2026-01-01T12:00:00Z"
};

// Removes a lease file that was judged dead when it held `token`. Does nothing when it is gone or holds another token;
// a lease that another run took in that moment is put back.
void break_lease(const std::filesystem::path& file, const std::string& token);

// What a lease file says; nullopt when there is none. One that cannot be read has no token, and its beat is
// the time of its last change.
std::optional<LeaseHolder> read_lease(const std::filesystem::path& file);
// Whether the holder lives, as far as is known without waiting: `unknown` of one on another machine.
Life life_of(const LeaseHolder& holder);

struct LeaseTiming {
  std::chrono::milliseconds beat{10'000};
  std::chrono::milliseconds dead_after{60'000};
};

// Held while this object exists. Any thread may destroy it.
class Lease {
 public:
  Lease(std::filesystem::path file, LeaseHolder me, int descriptor, std::chrono::milliseconds beat);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  void keep_beating(std::chrono::milliseconds beat);

  std::filesystem::path file_;
  LeaseHolder me_;
  int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  std::thread thread_;
};

// One observer of a store's leases: remembers when it saw each beat change. One thread.
class Leases {
 public:
  explicit Leases(std::filesystem::path folder, LeaseTiming timing = {});

  // The lease, or null when another run holds it, which `holder` then describes. Never waits. Error(io) or
  // Error(cannot_create) when the folder cannot be written.
  std::unique_ptr<Lease> take(const Digest& action, const std::string& stage, LeaseHolder* holder);

  // Its holder now, as far as is known without waiting; nullopt when there is none or its process is gone.
  static std::optional<LeaseHolder> holder_of(const std::filesystem::path& folder, const Digest& action);

 private:
  struct Seen {
    std::string token;
    int64_t beat;
    std::chrono::steady_clock::time_point since;
  };
  bool is_dead(const Digest& action, const LeaseHolder& holder);

  std::filesystem::path folder_;
  LeaseTiming timing_;
  std::map<Digest, Seen> seen_;
};

}  // namespace penstock::pipeline
