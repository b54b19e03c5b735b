// Collectives on text and outcomes, composed of the Communicator's own; for every floor. All are collective, and
// results may be read on return.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/outcome.h"

namespace penstock::distributed {

// Every rank returns rank `root`'s text; the argument of the others is not read.
std::string broadcast_text(Communicator& ranks, std::string_view text, int root, std::string_view what);

// Every rank returns the texts of all ranks, in rank order.
std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine, std::string_view what);

// The outcome of the lowest rank that failed, the same on every rank; `rank` is -1 and the outcome `done` when none
// failed.
struct Agreed {
  int rank = -1;
  Outcome outcome;
};
Agreed agree(Communicator& ranks, const Outcome& mine, std::string_view what);

}  // namespace penstock::distributed
