#include "stages/training/links.h"

#include <fmt/format.h>

#include <map>
#include <regex>

#include "distributed/error.h"
#include "pipeline/suggestion.h"

namespace penstock::stages {

// Ethernet's bandwidth is what TCP leaves of the line rate at an MTU of 1500: 1448 bytes of 1538. InfiniBand's is the
// data rate of one port. Latencies of GPU links are those by which NCCL itself predicts a ring's step (LL128, the
// protocol of messages of a few MB); latencies of TCP are the kernel's, whatever the line.
const std::vector<NamedLink>& known_links() {
  static const char* const tcp =
      "line rate by IEEE 802.3 x 1448/1538 (TCP, MTU 1500); latency of TCP under MPI, about 15 us on gigabit Ethernet "
      "by nw-grid.ac.uk/LivMPI";
  static const std::vector<NamedLink> links = {
      {"shared-memory",
       {3.8e-6, 5.2e9},
       "penstock bench reduce, 2 ranks of Open MPI 4.1 on two cores of a virtual Xeon; yours: --link measured"},
      {"ethernet-10g", {15e-6, 10e9 / 8 * 1448 / 1538}, tcp},
      {"ethernet-25g", {15e-6, 25e9 / 8 * 1448 / 1538}, tcp},
      {"ethernet-100g", {15e-6, 100e9 / 8 * 1448 / 1538}, tcp},
      {"infiniband-hdr",
       {4.0e-6, 200e9 / 8},
       "200 Gb/s a port (NVIDIA ConnectX-6 user manual); 4.0 us a step of NCCL's ring over a network (NVIDIA/nccl, "
       "src/graph/tuning.cc)"},
      {"infiniband-ndr",
       {4.0e-6, 400e9 / 8},
       "400 Gb/s a port (NVIDIA ConnectX-7 user manual); 4.0 us a step of NCCL's ring over a network (NVIDIA/nccl, "
       "src/graph/tuning.cc)"},
      {"nvlink4",
       {1.9e-6, 380e9},
       "380 GB/s in one direction between two H100, of 450 promised (NVIDIA/nccl, issue 1264); 1.9 us a step of NCCL's "
       "ring over NVLink (src/graph/tuning.cc)"},
  };
  return links;
}

NamedLink link_of(const std::string& text) {
  std::vector<std::string> names = {"measured"};
  for (const NamedLink& link : known_links()) {
    if (link.name == text) return link;
    names.push_back(link.name);
  }
  static const std::regex figures(R"(([0-9]*\.?[0-9]+)\s*(ns|us|ms|s)\s*,\s*([0-9]*\.?[0-9]+)\s*([KMGT]?)([Bb])/s)");
  static const std::map<std::string, double> units = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1},   {"", 1},
                                                      {"K", 1e3},   {"M", 1e6},   {"G", 1e9},   {"T", 1e12}};
  std::smatch match;
  if (std::regex_match(text, match, figures)) {
    const double bytes = std::stod(match[3]) * units.at(match[4]) / (match[5] == "b" ? 8 : 1);
    if (bytes > 0) return {text, {std::stod(match[1]) * units.at(match[2]), bytes}, "given"};
  }
  throw Error(ExitCode::usage,
              fmt::format("plan --world: there is no link '{}'{}\nFigures do as well: --link 5us,12GB/s", text,
                          pipeline::instead_of(text, names, "known:")));
}

std::string figures_of(const distributed::Link& link) {
  const double bytes = link.bytes_per_second;
  return fmt::format("{:.3g} us, {:.3g} {}/s", 1e6 * link.latency_seconds, bytes >= 1e9 ? bytes / 1e9 : bytes / 1e6,
                     bytes >= 1e9 ? "GB" : "MB");
}

std::string reference_of_links() {
  std::string text = R"(
## Links of `penstock plan --world`

`--link NAME`, figures such as `--link 5us,12GB/s`, or `--link measured` (what `penstock bench reduce` found here). A message of m bytes
takes latency + m / bandwidth (Thakur, Rabenseifner and Gropp 2005). On n ranks a bucket of B bytes takes with `reproducible = "run"`
2 (n - 1) (latency + B / (n bandwidth)), a ring; with `"world"` (n - 1) (latency + w B / (n bandwidth)) + (n - 1) (latency + B / (n bandwidth)),
slices to everybody and back, w being the most nodes of the tree that a rank sends. With `--ranks-per-node K` a ring goes as fast as its slowest
link, and K ranks share their node's one link to others. A step takes rounds x micro-shard + exposed + update: rounds = a rank's most
micro-shards / its threads, rounded up; exposed is what of the exchange outlasts the last round's backward, two thirds of a micro-shard, when
each bucket is sent as soon as backward has reached it and those before it are sent (`overlap = "off"`: all of the exchange, with `"world"` up to 16 MiB at once; `"auto"` is taken as on). Not in the
model: the additions, other jobs on the same switches, reading files, validation, checkpoints. `plan --json` adds all of it as `world`.

Memory of rank 0, in float32, of P weights, S running statistics, L = P + S + 6: weights 2 (P + S) (with train.ema 3 (P + S)), optimiser 2 P (sgd: P), L for each micro-shard
of the rank and one for the sum, two times w B of the largest bucket, or of what is exchanged at once ("world"), on each thread what a micro-shard keeps for backward and 19 of
its largest tensors, 1.7 P for LibTorch's own forms of weights, twice weights and optimiser while checkpoints are written, the samples as uint8,
166 MB for LibTorch and 20 MB for MPI. What is LibTorch's own was fitted to measured peaks on a CPU; `tests/benchmarks/scaling` compares.

| link | latency | bandwidth | source |
|---|---|---|---|
)";
  for (const NamedLink& one : known_links()) {
    const std::string figures = figures_of(one.link);
    const size_t comma = figures.find(", ");
    text += fmt::format("| `{}` | {} | {} | {} |\n", one.name, figures.substr(0, comma), figures.substr(comma + 2),
                        one.source);
  }
  return text;
}

}  // namespace penstock::stages
