#include "distributed/watchdog/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace penstock::distributed {
namespace {

using Time = RankTable::Time;
using Ranks = std::vector<int>;

// A circle of waiting ranks is reported when none of them has moved for this part of the patience: their beats are of
// slightly different moments.
constexpr double circle_part = 0.2;
// A rank that left with an error ends the job itself, and is given this part of the patience for it.
constexpr double leaving_part = 0.4;

// A late rank that has sent no beat for this part of the patience is left to the report on silent ranks, which says
// more.
constexpr double silent_part = 0.5;

double seconds_of(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

bool contains(const Ranks& ranks, int rank) { return std::find(ranks.begin(), ranks.end(), rank) != ranks.end(); }

// ---- words ----

// "rank 3", "ranks 0, 2-5".
std::string named(const Ranks& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size();) {
    size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += fmt::format("{}{}", i == 0 ? "" : ", ", ranks[i]);
    if (last > i) text += fmt::format("{}{}", last > i + 1 ? "-" : ", ", ranks[last]);
    i = last + 1;
  }
  return text;
}

std::string named(double seconds) {
  return seconds < 120 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

std::string size_text(uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  return bytes < 10'000'000 ? fmt::format("{} kB", bytes / 1000) : fmt::format("{} MB", bytes / 1'000'000);
}

std::string named(const Collective& collective) {
  const std::string size = collective.bytes > 0 ? fmt::format(" of {}", size_text(collective.bytes)) : "";
  const std::string root =
      collective.operation == Operation::broadcast ? fmt::format(" from rank {}", collective.root) : "";
  return fmt::format("{}{}{} '{}'", name_of(collective.operation), size, root, collective.what);
}

std::string place_of(const RankTable& ranks, int rank) {
  const std::string& machine = ranks.last_beat(rank).machine;
  return machine.empty() ? "" : " (" + machine + ")";
}

// ---- the report ----

// A line for each rank; ranks in the same state share one.
std::string where_each_was(const RankTable& ranks, const std::vector<Wait>& waits, const Ranks& silent, Time now) {
  std::map<std::string, std::pair<Ranks, double>> said;  // and the longest time
  std::vector<std::string> order;
  for (const int rank : ranks.listened()) {
    const Beat& beat = ranks.last_beat(rank);
    std::string text = contains(silent, rank) ? "silent; last heard " : "";
    text += beat.standing.where.empty() ? "between stages" : beat.standing.where;
    double seconds = ranks.still_seconds(rank, now);
    for (const Wait& wait : waits) {
      if (!contains(wait.there, rank)) continue;
      text += ", in " + named(wait.collective);
      seconds = wait.longest_seconds;
    }
    const auto [entry, fresh] = said.try_emplace(text);
    if (fresh) order.push_back(text);
    entry->second.first.push_back(rank);
    entry->second.second = std::max(entry->second.second, seconds);
  }
  std::string lines;
  for (const std::string& text : order) {
    const auto& [those, seconds] = said.at(text);
    lines += fmt::format("\n  {}{}: {}, since {}", named(those),
                         those.size() == 1 ? place_of(ranks, those.front()) : "", text, named(seconds));
  }
  return lines;
}

std::string who_is_where(const std::vector<Wait>& waits) {
  std::string lines;
  for (const Wait& wait : waits) {
    if (wait.missing.empty()) continue;
    lines += fmt::format("\n  {}, the {}. collective of '{}': there: {}; not there: {}", named(wait.collective),
                         wait.number, wait.among, named(wait.there), named(wait.missing));
  }
  return lines;
}

std::string report(const RankTable& ranks, const std::string& cause, const Ranks& silent,
                   std::chrono::milliseconds patience, Time now) {
  const std::vector<Wait> waits = ranks.waits(now);
  return fmt::format(
      "{} All ranks end with exit code {}.{}{}\n  (patience: {}; PENSTOCK_WATCHDOG=SECONDS sets another, "
      "PENSTOCK_WATCHDOG=off turns this off)",
      cause, static_cast<int>(ExitCode::ranks), where_each_was(ranks, waits, silent, now), who_is_where(waits),
      named(seconds_of(patience)));
}

// ---- what can be wrong ----

std::string cause_of(const Disagreement& between) {
  const std::string types = between.first.type == between.second.type
                                ? ""
                                : fmt::format(" Their element types are {} and {}.", name_of(between.first.type),
                                              name_of(between.second.type));
  return fmt::format(
      "Ranks disagree about the next collective: as the {}. collective of '{}' rank {} has {}, rank {} has {}.{} One "
      "of them "
      "left one out, or has one too many.",
      between.number, between.among, between.first_rank, named(between.first), between.second_rank,
      named(between.second), types);
}

std::string cause_of_silence(const RankTable& ranks, const Ranks& silent, Time now) {
  double seconds = 0;
  for (const int rank : silent) seconds = std::max(seconds, ranks.silent_seconds(rank, now));
  const bool one = silent.size() == 1;
  return fmt::format("{} of {} {} been silent for {}: {} stopped, or {} cannot be reached.", named(silent),
                     ranks.size(), one ? "has" : "have", named(seconds), one ? "its process is" : "their processes are",
                     one ? "its machine" : "their machines");
}

bool someone_fails(const RankTable& ranks, double patience, Time now) {
  return std::any_of(ranks.listened().begin(), ranks.listened().end(), [&](int rank) {
    return ranks.last_beat(rank).standing.activity == Activity::failing && ranks.still_seconds(rank, now) < patience;
  });
}

// Whether what `from` waits for leads back to `goal`. `path` are the waits gone through.
bool leads_to(const std::vector<Wait>& waits, size_t from, size_t goal, std::vector<size_t>& path) {
  path.push_back(from);
  for (size_t next = 0; next < waits.size(); ++next) {
    const bool follows = std::any_of(waits[from].missing.begin(), waits[from].missing.end(),
                                     [&](int rank) { return contains(waits[next].there, rank); });
    if (!follows) continue;
    if (next == goal) return true;
    if (std::find(path.begin(), path.end(), next) == path.end() && leads_to(waits, next, goal, path)) return true;
  }
  return false;
}

std::optional<std::string> cause_of_circle(const std::vector<Wait>& all, double least_seconds) {
  std::vector<Wait> waits;
  for (const Wait& wait : all) {
    if (!wait.missing.empty() && wait.shortest_seconds >= least_seconds) waits.push_back(wait);
  }
  for (size_t start = 0; start < waits.size(); ++start) {
    std::vector<size_t> path;
    if (!leads_to(waits, start, start, path)) continue;
    return fmt::format(
        "Ranks wait for each other and none can continue: {} in {}, {} in {}. One of them left a collective out, or "
        "has "
        "one too many.",
        named(waits[start].there), named(waits[start].collective), named(waits[path.back()].there),
        named(waits[path.back()].collective));
  }
  return std::nullopt;
}

// A rank that itself waits for another is not the one to blame.
bool waits_for_another(const std::vector<Wait>& waits, int rank) {
  return std::any_of(waits.begin(), waits.end(),
                     [rank](const Wait& wait) { return !wait.missing.empty() && contains(wait.there, rank); });
}

std::optional<std::string> cause_of_delay(const RankTable& ranks, const std::vector<Wait>& waits, double patience,
                                          Time now) {
  for (const Wait& wait : waits) {
    const bool patient = std::all_of(wait.there.begin(), wait.there.end(), [&](int rank) {
      return ranks.last_beat(rank).standing.activity == Activity::idle;
    });
    if (patient) continue;
    for (const int rank : wait.missing) {
      if (ranks.has_left(rank) && wait.longest_seconds >= leaving_part * patience) {
        return fmt::format(
            "Rank {} has ended its work, and {} wait{} for it in {}. One of them left a collective out, or has one too "
            "many.",
            rank, named(wait.there), wait.there.size() == 1 ? "s" : "", named(wait.collective));
      }
      const double limit = ranks.last_beat(rank).standing.limit_seconds;
      if (wait.longest_seconds < limit || ranks.still_seconds(rank, now) < limit || waits_for_another(waits, rank))
        continue;
      if (ranks.silent_seconds(rank, now) >= silent_part * patience) continue;
      return fmt::format(
          "Rank {} does not come to {}, where {} {} waited for it for {} (the limit for its activity is {}).", rank,
          named(wait.collective), named(wait.there), wait.there.size() == 1 ? "has" : "have",
          named(wait.longest_seconds), named(limit));
    }
    if (!wait.missing.empty()) continue;
    double limit = 0;
    for (const int rank : wait.there) limit = std::max(limit, ranks.last_beat(rank).standing.limit_seconds);
    if (wait.shortest_seconds < limit) continue;
    return fmt::format("Every rank is in {}, which has not ended for {} (the limit is {}): does the network work?",
                       named(wait.collective), named(wait.shortest_seconds), named(limit));
  }
  return std::nullopt;
}

}  // namespace

std::string report_of_silence(const RankTable& ranks, const std::vector<int>& silent,
                              std::chrono::milliseconds patience, Time now) {
  return report(ranks, cause_of_silence(ranks, silent, now), silent, patience, now);
}

std::optional<std::string> judge(const RankTable& ranks, std::chrono::milliseconds patience, Time now) {
  if (ranks.disagreement()) return report(ranks, cause_of(*ranks.disagreement()), {}, patience, now);
  Ranks silent;
  for (const int rank : ranks.listened()) {
    if (ranks.silent_seconds(rank, now) >= seconds_of(patience)) silent.push_back(rank);
  }
  if (!silent.empty()) return report_of_silence(ranks, silent, patience, now);
  if (someone_fails(ranks, seconds_of(patience), now)) return std::nullopt;
  const std::vector<Wait> waits = ranks.waits(now);
  auto cause = cause_of_circle(waits, circle_part * seconds_of(patience));
  if (!cause) cause = cause_of_delay(ranks, waits, seconds_of(patience), now);
  return cause ? std::optional(report(ranks, *cause, {}, patience, now)) : std::nullopt;
}

}  // namespace penstock::distributed
