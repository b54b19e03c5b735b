// What a watchdog knows of the ranks of its job from their beats: which are silent, where each is, which wait for
// which. The time is an argument, so that tests need no clock. Called by the watchdog's thread only.
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
  std::vector<int> missing;                          // members that have not entered it
  double shortest_seconds = 0, longest_seconds = 0;  // of the ranks in it
};

// Two ranks whose n-th collectives of a communicator differ.
struct Disagreement {
  std::string among;
  uint64_t number = 0;
  int first_rank = 0, second_rank = 0;
  Collective first, second;
};

class RankTable {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `listened` are those of the `size` ranks whose beats arrive here.
  RankTable(int size, std::vector<int> listened, Time now);

  void hear(int rank, Beat beat, Time now);
  // Waiting before `now` does not count: this process itself was stopped.
  void forgive(Time now) { forgiven_ = now; }

  int size() const { return static_cast<int>(ranks_.size()); }
  const std::vector<int>& listened() const { return listened_; }
  bool has_left(int rank) const { return ranks_[rank].beat.leaves; }
  double silent_seconds(int rank, Time now) const;  // 0 for one that has left
  const Beat& last_beat(int rank) const { return ranks_[rank].beat; }
  // Since that rank last entered or left an activity or a collective.
  double still_seconds(int rank, Time now) const;

  std::vector<Wait> waits(Time now) const;
  const std::optional<Disagreement>& disagreement() const { return disagreement_; }

 private:
  struct Rank {
    Time heard;
    Beat beat;  // the last, without its news
  };
  // The ranks of a communicator.
  struct Group {
    int size = 0;  // 0: not known yet
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
