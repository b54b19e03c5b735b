#include "distributed/watchdog/rank_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

// More are open only where entries were lost: the oldest then never close.
constexpr size_t most_open = 10'000;

std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

RankTable::RankTable(int size, std::vector<int> listened, Time now)
    : ranks_(size, {now, {}}), listened_(std::move(listened)), forgiven_(now) {}

void RankTable::hear(int rank, Beat beat, Time now) {
  PENSTOCK_CHECK(rank >= 0 && rank < size(),
                 fmt::format("a beat is from a rank from 0 to {}, found {}", size() - 1, rank));
  for (const Joined& joined : beat.joined) {
    Group& group = groups_[joined.among];
    group.size = joined.size;
    group.name = joined.name;
    group.members.insert(rank);
  }
  for (const Entered& entered : beat.entered) compare(rank, entered);
  for (const uint64_t dropped : beat.dropped) {
    Group& group = groups_[dropped];
    group.gone.insert(rank);
    if (static_cast<int>(group.gone.size()) == group.size) groups_.erase(dropped);
  }
  beat.joined.clear();
  beat.entered.clear();
  beat.dropped.clear();
  ranks_[rank] = {now, std::move(beat)};
}

void RankTable::compare(int rank, const Entered& entered) {
  Group& group = groups_[entered.among];
  group.latest[rank] = entered;
  const auto [place, fresh] = group.open.try_emplace(entered.number, Group::First{rank, entered.collective, 0});
  Group::First& first = place->second;
  if (!(first.collective == entered.collective) && !disagreement_) {
    disagreement_ = {group.name, entered.number, first.rank, rank, first.collective, entered.collective};
  }
  if (++first.seen == group.size || group.open.size() > most_open) group.open.erase(group.open.begin());
}

double RankTable::since(Time time, Time now) const {
  return std::chrono::duration<double>(now - std::max(time, forgiven_)).count();
}

double RankTable::silent_seconds(int rank, Time now) const {
  return has_left(rank) ? 0 : since(ranks_[rank].heard, now);
}

double RankTable::still_seconds(int rank, Time now) const {
  const Rank& one = ranks_[rank];
  return since(one.heard - duration_of(std::min(one.beat.still_seconds, one.beat.standing.seconds)), now);
}

std::vector<Wait> RankTable::waits(Time now) const {
  std::map<std::pair<uint64_t, uint64_t>, Wait> found;
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    for (const Inside& inside : ranks_[rank].beat.inside) {
      const double seconds = since(ranks_[rank].heard - duration_of(inside.seconds), now);
      Wait& wait = found[{inside.among, inside.number}];
      wait.shortest_seconds = wait.there.empty() ? seconds : std::min(wait.shortest_seconds, seconds);
      wait.longest_seconds = std::max(wait.longest_seconds, seconds);
      wait.there.push_back(static_cast<int>(rank));
    }
  }
  std::vector<Wait> all;
  for (auto& [key, wait] : found) {
    const auto known = groups_.find(key.first);
    if (known == groups_.end() || static_cast<int>(known->second.members.size()) != known->second.size)
      continue;  // the beats that name its members have not arrived
    const Group& group = known->second;
    wait.among = group.name;
    wait.number = key.second;
    const auto latest = group.latest.find(wait.there.front());
    if (latest == group.latest.end() || latest->second.number != wait.number) continue;
    wait.collective = latest->second.collective;
    for (const int member : group.members) {
      const auto entered = group.latest.find(member);
      if (entered == group.latest.end() || entered->second.number < wait.number) wait.missing.push_back(member);
    }
    all.push_back(std::move(wait));
  }
  return all;
}

}  // namespace penstock::distributed
