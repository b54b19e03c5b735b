// Which collectives this rank has entered, and which it is in: what its watchdog reports to the others.
//
// Threads: any. A rank has one log, shared by its watched communicators and its watchdog.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/communicator.h"

namespace penstock::distributed {

enum class Operation : uint8_t { barrier, broadcast, all_reduce, all_gather, all_to_all, split, duplicate, meeting };
const char* name_of(Operation operation);

// The n-th collective of a communicator: the same on all its ranks.
struct Collective {
  Operation operation = Operation::barrier;
  DataType type = DataType::u8;
  int32_t root = 0;
  uint64_t bytes = 0;
  std::string what;
  bool operator==(const Collective&) const = default;
};

// One rank entered a collective.
struct Entered {
  uint64_t among = 0;   // the communicator, the same number on all its ranks
  uint64_t number = 0;  // the collective's number in it, from 1
  Collective collective;
};
struct Inside {
  uint64_t among = 0;
  uint64_t number = 0;
  double seconds = 0;  // since it was entered
};
struct Joined {
  uint64_t among = 0;
  int32_t size = 0;
  std::string name;
};

class CollectiveLog {
 public:
  // Listeners fetch news independently of each other.
  explicit CollectiveLog(int listeners) : unheard_(listeners) {}

  // One communicator, as this rank sees it. Its collectives come one at a time: enter(), leave().
  struct Side {
    Joined joined;
    uint64_t number = 0;  // collectives so far
    bool inside = false;  // one of them
    std::chrono::steady_clock::time_point since;
  };
  Side& join(Joined joined);
  void drop(Side& side);
  // Returns the collective's number.
  uint64_t enter(Side& side, Operation operation, DataType type, int root, uint64_t bytes, std::string_view what);
  void leave(Side& side);

  std::vector<Inside> inside() const;
  double still_seconds() const;  // since this rank entered or left any

  // What one listener has not fetched yet. Of more than `kept` entries the oldest are lost: their numbers show the gap.
  struct News {
    std::vector<Joined> joined;
    std::vector<uint64_t> dropped;
    std::vector<Entered> entered;  // at most `at_most`, the rest the next time
  };
  News news(int listener, size_t at_most);

 private:
  static constexpr size_t kept = 4096;
  struct Unheard {
    std::vector<Joined> joined;
    std::vector<uint64_t> dropped;
    uint64_t entries = 0;  // fetched or lost
  };
  mutable std::mutex mutex_;
  std::list<Side> sides_;
  std::vector<Entered> ring_;  // the last `kept` entries, by entry number modulo `kept`
  uint64_t entries_ = 0;
  std::chrono::steady_clock::time_point moved_ = std::chrono::steady_clock::now();
  std::vector<Unheard> unheard_;
};

}  // namespace penstock::distributed
