// What a round of the gradient reducer moves, predicted without a job: which collectives it calls, with how many bytes.
// Pure functions; a test compares them with the bytes that real ranks pass to their communicator.
#pragma once

#include <vector>

#include "distributed/reducer/gradient_reducer.h"

namespace penstock::distributed {

// The collectives of one bucket, as every rank calls them.
struct Exchange {
  size_t reduced_bytes = 0;    // handed to all_reduce ("run")
  size_t scattered_bytes = 0;  // handed to all_to_all, a part for each rank ("world")
  size_t gathered_bytes = 0;   // this rank's part in the all_gather behind it ("world")
};

// Of each bucket, in their order. A lone rank calls none.
std::vector<Exchange> exchanges_of(const std::vector<Bucket>& buckets, int ranks, int micro_shards, Reproducible mode);

// Bytes that one rank sends to others: 2 (n - 1) / n of a ring all-reduce's bytes, (n - 1) / n of an all-to-all's, and
// n - 1 times its part of an all-gather.
double sent_bytes(const Exchange& exchange, int ranks);

}  // namespace penstock::distributed
