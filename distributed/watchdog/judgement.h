// Whether ranks can go on, from what a watchdog has heard; and what is told when they cannot.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "distributed/watchdog/rank_table.h"

namespace penstock::distributed {

// The report with which the job is to end: its first line names the cause, the rest says where each rank was. nullopt
// when all is well, or when a rank has failed and is about to say so itself. Looked for, in this order: ranks that
// disagree about a collective; ranks that have been silent for `patience`; ranks that wait for each other in a circle;
// ranks that others wait for longer than what they do may take, and are still heard of.
std::optional<std::string> judge(const RankTable& ranks, std::chrono::milliseconds patience, RankTable::Time now);

// For a rank that hears but these: the report when all of them are silent.
std::string report_of_silence(const RankTable& ranks, const std::vector<int>& silent,
                              std::chrono::milliseconds patience, RankTable::Time now);

}  // namespace penstock::distributed
