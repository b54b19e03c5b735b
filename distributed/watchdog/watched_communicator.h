// A communicator whose collectives, and those of all that is made from it, are written into a log for the watchdog.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "distributed/communicator.h"
#include "distributed/watchdog/collective_log.h"

namespace penstock::distributed {

// Local. Every rank names the same `name`, which stands in reports; threads as with `ranks`.
std::unique_ptr<Communicator> watched(std::unique_ptr<Communicator> ranks, std::shared_ptr<CollectiveLog> log,
                                      std::string name);

// Ranks that meet by messages: for the watchdog a collective that this rank is in until the object is destroyed.
// Nothing where `ranks` is not watched.
class Meeting {
 public:
  Meeting(Communicator& ranks, std::string_view what);
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

 private:
  std::shared_ptr<CollectiveLog> log_;
  CollectiveLog::Side* side_ = nullptr;
};

}  // namespace penstock::distributed
