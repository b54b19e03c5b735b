// What the watchdogs of a job send each other a few times a second, and its form on the wire. Used by Watchdog, and by
// RankTable, which collects beats.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/watchdog/collective_log.h"
#include "distributed/watchdog/watch.h"

namespace penstock::distributed {

struct Beat {
  bool stops = false;   // this rank was requested to stop, or has received a beat that says so
  bool leaves = false;  // the last beat: the rank has finished
  std::string verdict;  // the first line of a report with which the sender ends the job
  std::string machine;  // "node7, process 4711"
  Watch::Standing standing;
  double still_seconds = 0;  // since the sender last entered or left an activity or a collective
  std::vector<Inside> inside;
  std::vector<Joined> joined;
  std::vector<uint64_t> dropped;
  std::vector<Entered> entered;
};

// One or more messages, each a complete beat with a part of the news. None is longer than what every transport sends
// eagerly: a longer message needs a handshake, and a sender that is stopped half way would block the receiver.
std::vector<std::string> to_messages(const Beat& beat);
Beat beat_from_message(std::string_view bytes);

}  // namespace penstock::distributed
