// Whether the ranks of a job can make progress, judged from the beats that a watchdog has received; and the report when
// they cannot. Pure functions, called by Watchdog.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "distributed/watchdog/rank_table.h"

namespace penstock::distributed {

// The report with which the job is to end: its first line names the cause, the rest says where each rank was. nullopt
// when all is well, or when a rank has failed and is about to report that itself. Causes, in this order: ranks that
// disagree about a collective; ranks that have been silent for `patience`; ranks that wait for each other in a circle;
// ranks that still send beats, but for which others have waited longer than the limit of their activity.
std::optional<std::string> judge(const RankTable& ranks, std::chrono::milliseconds patience, RankTable::Time now);

// For a rank that receives beats from `silent` only (ranks 0 and 1): the report when all of them are silent.
std::string report_of_silence(const RankTable& ranks, const std::vector<int>& silent,
                              std::chrono::milliseconds patience, RankTable::Time now);

}  // namespace penstock::distributed
