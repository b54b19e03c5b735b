#include "distributed/reducer/exchange.h"

namespace penstock::distributed {

std::vector<Exchange> exchanges_of(const std::vector<Bucket>& buckets, int ranks, int micro_shards, Reproducible mode) {
  std::vector<Exchange> all;
  if (ranks == 1) return all;
  const size_t nodes = most_nodes(ranks, micro_shards);
  for (const Bucket& bucket : buckets) {
    const size_t count = bucket.end - bucket.begin;
    if (mode == Reproducible::run) {
      all.push_back({count * sizeof(float), 0, 0});
    } else {
      const size_t slice = slice_of(count, ranks) * sizeof(float);
      all.push_back({0, static_cast<size_t>(ranks) * nodes * slice, slice});
    }
  }
  return all;
}

double sent_bytes(const Exchange& exchange, int ranks) {
  const auto others = static_cast<double>(ranks - 1);
  return others / ranks *
             (2 * static_cast<double>(exchange.reduced_bytes) + static_cast<double>(exchange.scattered_bytes)) +
         others * static_cast<double>(exchange.gathered_bytes);
}

}  // namespace penstock::distributed
