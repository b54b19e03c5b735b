// What a watchdog has heard of the ranks of its job: who speaks, where each is, who waits for whom. Knows no clock: the
// time is told to it.
//
// One thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "distributed/watchdog/beat.h"

namespace penstock::distributed {

// One collective that some ranks are in.
struct Wait {
  std::string among;  // the communicator's name
  uint64_t number = 0;
  Collective collective;
  std::vector<int> there;                            // in it now
  std::vector<int> missing;                          // of those that must come, who has not
  double shortest_seconds = 0, longest_seconds = 0;  // how long those that are there have waited
};

// Two ranks that mean different things by the same collective.
struct Disagreement {
  std::string among;
  uint64_t number = 0;
  int first_rank = 0, second_rank = 0;
  Collective first, second;
};

class RankTable {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `listened` are the ranks of `size` whose beats come here.
  RankTable(int size, std::vector<int> listened, Time now);

  void hear(int rank, Beat beat, Time now);
  // Nothing that was waited for before `now` counts: this process itself did not run.
  void forgive(Time now) { forgiven_ = now; }

  int size() const { return static_cast<int>(ranks_.size()); }
  const std::vector<int>& listened() const { return listened_; }
  bool has_left(int rank) const { return ranks_[rank].beat.leaves; }
  double silent_seconds(int rank, Time now) const;  // 0 for one that has left
  const Beat& last_beat(int rank) const { return ranks_[rank].beat; }
  // Since anything moved on that rank.
  double still_seconds(int rank, Time now) const;

  std::vector<Wait> waits(Time now) const;
  const std::optional<Disagreement>& disagreement() const { return disagreement_; }

 private:
  struct Rank {
    Time heard;
    Beat beat;  // the last, without its news
  };
  // A communicator.
  struct Group {
    int size = 0;  // 0: nobody has told yet
    std::string name;
    std::set<int> members, gone;
    std::map<int, Entered> latest;  // of each member
    struct First {
      int rank = 0;
      Collective collective;
      int seen = 0;  // ranks that have entered it
    };
    std::map<uint64_t, First> open;  // collectives that not all have entered, by number
  };
  void compare(int rank, const Entered& entered);
  double since(Time time, Time now) const;

  std::vector<Rank> ranks_;
  std::vector<int> listened_;
  Time forgiven_;
  std::map<uint64_t, Group> groups_;
  std::optional<Disagreement> disagreement_;
};

}  // namespace penstock::distributed
