// Collectives on text, made of the Communicator's own. All are collective.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/outcome.h"

namespace penstock::distributed {

// Every rank returns rank `root`'s text; the argument of the others is not read.
std::string broadcast_text(Communicator& ranks, std::string_view text, int root, std::string_view what);

// Every rank returns the text of each rank, in rank order.
std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine, std::string_view what);

// The outcome of the first (lowest) rank that failed, the same on every rank; done when none failed. `rank` of the
// failing rank is -1 when none failed.
struct Agreed {
  int rank = -1;
  Outcome outcome;
};
Agreed agree(Communicator& ranks, const Outcome& mine, std::string_view what);

}  // namespace penstock::distributed
