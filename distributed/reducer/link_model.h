// How long collectives take by the alpha-beta model (Thakur, Rabenseifner and Gropp 2005, Int. J. High Perform. Comput.
// Appl. 19, 49-66): a message of m bytes takes alpha + m / beta. Pure functions. The additions themselves are not
// included, nor is contention in switches.
#pragma once

#include "distributed/reducer/exchange.h"

namespace penstock::distributed {

struct Link {
  double latency_seconds = 0;   // alpha
  double bytes_per_second = 1;  // beta, in one direction
};

// Ranks fill node after node. Messages between ranks of one node take `inside`; those between nodes take `between`, of
// which a node has one.
struct Fabric {
  Link inside, between;
  int ranks_per_node = 0;  // 0: all ranks are on one node

  bool one_node(int ranks) const { return ranks_per_node == 0 || ranks <= ranks_per_node; }
};

// A ring: 2 (n - 1) (alpha + bytes / (n beta)), on the slowest link that the ring crosses.
double all_reduce_seconds(double bytes, int ranks, const Fabric& fabric);
// (n - 1) (alpha + bytes / (n beta)), where a node's K ranks share its link to others: K (n - K) / n of `bytes` pass
// through it.
double all_to_all_seconds(double bytes, int ranks, const Fabric& fabric);
// A ring: (n - 1) (alpha + part / beta), on the slowest link.
double all_gather_seconds(double part, int ranks, const Fabric& fabric);

double seconds_of(const Exchange& exchange, int ranks, const Fabric& fabric);

// The link on which ring all-reduces of `bytes[i]` took `seconds[i]`: least squares over relative errors, so that small
// ones count as much as large ones.
Link fit_link(const std::vector<double>& bytes, const std::vector<double>& seconds, int ranks);

}  // namespace penstock::distributed
