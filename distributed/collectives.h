// Collectives on text, made of the Communicator's own. All are collective.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/communicator.h"

namespace penstock::distributed {

// Every rank returns rank `root`'s text; the argument of the others is not read.
std::string broadcast_text(Communicator& ranks, std::string_view text, int root, std::string_view what);

// Every rank returns the text of each rank, in rank order.
std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine, std::string_view what);

// How this rank fared in a part that each rank does on its own: null error text means well.
struct Outcome {
  ExitCode code = ExitCode::done;
  std::string message;
};
// What is being thrown right now, as an outcome; call inside a catch block.
Outcome current_failure();

// The outcome of the first (lowest) rank that failed, the same on every rank; done when none failed. `rank` of the
// failing rank is -1 when none failed.
struct Agreed {
  int rank = -1;
  Outcome outcome;
};
Agreed agree(Communicator& ranks, const Outcome& mine, std::string_view what);

// Collective in the end: every rank calls it, each when its own part is over. As agree(), but a rank that failed waits no
// longer than `patience` for the others, which may be waiting for it elsewhere: nullopt then, and the job cannot go on.
// Nobody else uses `ranks`.
std::optional<Agreed> settle(Communicator& ranks, const Outcome& mine, std::chrono::milliseconds patience);

}  // namespace penstock::distributed
