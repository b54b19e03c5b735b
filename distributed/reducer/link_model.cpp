#include "distributed/reducer/link_model.h"

#include <algorithm>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

// A ring is as fast as its slowest hop.
Link slowest(int ranks, const Fabric& fabric) {
  if (fabric.one_node(ranks)) return fabric.inside;
  if (fabric.ranks_per_node == 1) return fabric.between;
  return {std::max(fabric.inside.latency_seconds, fabric.between.latency_seconds),
          std::min(fabric.inside.bytes_per_second, fabric.between.bytes_per_second)};
}

}  // namespace

double all_reduce_seconds(double bytes, int ranks, const Fabric& fabric) {
  const Link link = slowest(ranks, fabric);
  return 2 * (ranks - 1) * (link.latency_seconds + bytes / (ranks * link.bytes_per_second));
}

double all_to_all_seconds(double bytes, int ranks, const Fabric& fabric) {
  const double n = ranks, part = bytes / n;
  if (fabric.one_node(ranks)) return (n - 1) * (fabric.inside.latency_seconds + part / fabric.inside.bytes_per_second);
  const double k = fabric.ranks_per_node, elsewhere = n - k;
  const double latency = (k - 1) * fabric.inside.latency_seconds + elsewhere * fabric.between.latency_seconds;
  return latency + std::max((k - 1) * part / fabric.inside.bytes_per_second,
                            k * elsewhere * part / fabric.between.bytes_per_second);
}

double all_gather_seconds(double part, int ranks, const Fabric& fabric) {
  const Link link = slowest(ranks, fabric);
  return (ranks - 1) * (link.latency_seconds + part / link.bytes_per_second);
}

double seconds_of(const Exchange& exchange, int ranks, const Fabric& fabric) {
  if (ranks == 1) return 0;
  if (exchange.reduced_bytes > 0) return all_reduce_seconds(static_cast<double>(exchange.reduced_bytes), ranks, fabric);
  return all_to_all_seconds(static_cast<double>(exchange.scattered_bytes), ranks, fabric) +
         all_gather_seconds(static_cast<double>(exchange.gathered_bytes), ranks, fabric);
}

Link fit_link(const std::vector<double>& bytes, const std::vector<double>& seconds, int ranks) {
  PENSTOCK_CHECK(!bytes.empty() && bytes.size() == seconds.size() && ranks > 1,
                 "a link is fitted to a time for each size, on several ranks");
  // t / t_measured = 1 in the unknowns alpha and 1 / beta: two normal equations.
  double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const double a = 2.0 * (ranks - 1) / seconds[i], b = a * bytes[i] / ranks;
    aa += a * a, ab += a * b, bb += b * b, a1 += a, b1 += b;
  }
  const double determinant = aa * bb - ab * ab;
  const double latency = std::max(0.0, (a1 * bb - b1 * ab) / determinant),
               inverse = std::max(1e-13, (aa * b1 - ab * a1) / determinant);
  return {latency, 1 / inverse};
}

}  // namespace penstock::distributed
