// What the watchdogs of a job tell each other a few times a second, and its form on the wire.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/watchdog/collective_log.h"
#include "distributed/watchdog/watch.h"

namespace penstock::distributed {

struct Beat {
  bool stops = false;   // this rank was asked to stop, or has heard of one that was
  bool leaves = false;  // the last beat: its work is over
  std::string verdict;  // the first line of a report with which the sender ends the job
  std::string machine;  // "node7, process 4711"
  Watch::Standing standing;
  double still_seconds = 0;  // since anything moved on the sender: its word, a collective
  std::vector<Inside> inside;
  std::vector<Joined> joined;
  std::vector<uint64_t> dropped;
  std::vector<Entered> entered;
};

// As one or more messages, each a beat of its own: the same but for its part of what is new. None is longer than what
// every transport takes at once: a message that the receiver must ask for would hold it up when the sender is stopped
// half way.
std::vector<std::string> to_messages(const Beat& beat);
Beat beat_from_message(std::string_view bytes);

}  // namespace penstock::distributed
