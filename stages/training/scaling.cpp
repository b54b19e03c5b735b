#include "stages/training/scaling.h"

#include <algorithm>
#include <cmath>

#include "stages/arithmetic/figures.h"
#include "stages/training/norms.h"
#include "stages/training/optimisers.h"
#include "stages/training/precisions.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Exchange;
using distributed::Fabric;
using distributed::Reproducible;

constexpr double float_bytes = 4;
constexpr double backward_share = 2.0 / 3;  // of forward and backward: a gradient of the input and one of the weights

// Measured on the CPU, with peaks of `penstock bench train` (tests/benchmarks/scaling checks them).
constexpr double program_bytes = 166e6;  // LibTorch, with a network that is nearly nothing
constexpr double checkpoint_copies = 2;  // the snapshot that is written, and the next waiting
constexpr double mpi_bytes = 20e6;       // MPI, with its buffers
constexpr double widest_moments =
    19;  // tensors of the size of the largest layer's output: gradients, oneDNN's own layouts, what the allocator keeps
// Of what activations take in float32: 0.53 to 0.77 with 8 to 32 channels, 128 and 256 pixels, 4 and 8 images at once.
constexpr double bfloat16_share = 0.7;
constexpr double other_forms = 1.7;  // of the weights: oneDNN's layouts, gradients before they are taken

// What forward keeps of one image for backward, in bytes; and the largest layer's output.
double kept_bytes(const std::vector<Layer>& layers, const Architecture& architecture) {
  double kept = 0;
  for (const Layer& layer : layers) {
    const auto values = static_cast<double>(layer.values());
    const bool up = layer.kind.starts_with("2x2");
    kept += float_bytes * values * (up ? 2 : 1);  // concatenated with what was skipped
    const bool ends_block = layer.name.ends_with(norm_rule(architecture.norm).is_layer ? "_norm2" : "_conv2");
    if (ends_block && layer.side == "encoder")
      kept += (float_bytes + sizeof(int64_t)) * values / 4;                        // pooled, and where its maxima were
    if (ends_block && architecture.dropout > 0) kept += 2 * float_bytes * values;  // the draw, and the product
  }
  return kept;
}

Memory memory_of(const Workload& workload, const RanksPlan& plan, const std::vector<Layer>& layers) {
  const TrainParameters& parameters = workload.parameters;
  double p = 0, largest = 0;
  for (const Layer& layer : layers) {
    p += static_cast<double>(layer.parameters());
    largest = std::max(largest, static_cast<double>(layer.values()));
  }
  const auto s = static_cast<double>(statistic_count(layers)), length = p + s + figure_count;
  const bool together = norm_rule(parameters.norm).over_ranks;
  Memory memory;
  memory.weights = (parameters.ema > 0 ? 3 : 2) * float_bytes * (p + s);
  memory.optimiser = optimiser_rule(parameters.optimizer).moments * float_bytes * p;
  memory.gradients = float_bytes * length * ((together ? 1 : std::max(1, plan.most)) + (plan.ranks > 1));
  for (const Exchange& exchange : plan.exchanges)
    memory.exchange = std::max(memory.exchange, 2.0 * static_cast<double>(exchange.scattered_bytes));
  if (workload.height > 0) {
    const double pixels = static_cast<double>(workload.height * workload.width);
    const double image = kept_bytes(layers, workload.architecture()) + widest_moments * float_bytes * largest +
                         float_bytes * pixels * static_cast<double>(workload.channels + 1);
    const double at_once = together ? plan.most : std::min(plan.threads, std::max(1, plan.most));
    memory.activations = at_once * static_cast<double>(parameters.micro_batch) * image *
                         (precision_rule(parameters.precision).bfloat16 ? bfloat16_share : 1);  // "auto" may be either
    memory.samples =
        static_cast<double>(workload.held) * pixels * static_cast<double>(workload.channels * workload.bits / 8 + 1);
    if (const auto limit = parameters.cache_limit())
      memory.samples = std::min(memory.samples, static_cast<double>(*limit));
  }
  memory.convolutions = other_forms * float_bytes * p;
  memory.checkpoint = checkpoint_copies * (memory.weights + memory.optimiser);
  memory.program = program_bytes + (plan.ranks > 1 ? mpi_bytes : 0);
  return memory;
}

// Forward and backward each sum two values a channel, and the count, over the ranks.
std::vector<Exchange> norm_exchanges_of(const std::vector<Layer>& layers) {
  std::vector<Exchange> all;
  for (const Layer& layer : layers) {
    if (layer.statistics > 0)
      all.insert(all.end(), 2, {static_cast<size_t>(layer.statistics + 1) * sizeof(double), 0, 0});
  }
  return all;
}

// "auto" is taken as on: on many ranks it pays.
bool overlaps(const TrainParameters& parameters) { return parameters.overlap != "off"; }

// For each bucket, the share of backward that is over when it is ready.
std::vector<double> ready_shares(const std::vector<distributed::Bucket>& buckets, const std::vector<Layer>& layers) {
  double all = 0;
  for (const Layer& layer : layers) all += static_cast<double>(layer.flops);
  std::vector<double> shares;
  for (const auto& bucket : buckets) {
    double done = 0;
    size_t at = 0;
    for (const Layer& layer : layers) {
      if (at >= bucket.begin) done += static_cast<double>(layer.flops);
      at += static_cast<size_t>(layer.parameters());
    }
    shares.push_back(all > 0 ? done / all : 1);
  }
  return shares;
}

StepTimes times_of(const Workload& workload, const RanksPlan& plan, const std::vector<Layer>& layers, const Pace& pace,
                   const Fabric& fabric) {
  const bool together = norm_rule(workload.parameters.norm).over_ranks;
  StepTimes times;
  // With synchronised norms all threads work on one batch, so that nothing is rounded up.
  const double last_round = together ? pace.micro_shard_seconds * plan.most / plan.threads : pace.micro_shard_seconds;
  times.compute = together ? last_round : pace.micro_shard_seconds * plan.rounds;
  times.update = pace.update_seconds;
  if (plan.ranks == 1) return times;
  const std::vector<double> ready = ready_shares(plan.buckets, layers);
  const double backward = backward_share * last_round;
  double end = 0;  // of the exchange so far, from the beginning of the last round's backward
  for (size_t i = 0; i < plan.exchanges.size(); ++i) {
    const double seconds = distributed::seconds_of(plan.exchanges[i], plan.ranks, fabric);
    times.exchange += seconds;
    end = std::max(end, ready[i] * backward) + seconds;
  }
  times.exposed = overlaps(workload.parameters) ? std::max(0.0, end - backward) : times.exchange;
  for (const Exchange& exchange : plan.norm_exchanges) {  // the network waits for each
    const double seconds = distributed::seconds_of(exchange, plan.ranks, fabric);
    times.exchange += seconds;
    times.exposed += seconds;
  }
  return times;
}

int rounds_of(int shards, int threads) { return (shards + threads - 1) / threads; }

}  // namespace

Pace pace_of(double step_seconds, double update_seconds, const TrainParameters& parameters, int ranks, int threads) {
  const auto shards = static_cast<int>(parameters.micro_shards());
  const int most = (shards + ranks - 1) / ranks;
  const double rounds =
      norm_rule(parameters.norm).over_ranks ? static_cast<double>(most) / threads : rounds_of(most, threads);
  return {std::max(0.0, step_seconds - update_seconds) / rounds, update_seconds};
}

RanksPlan plan_ranks(const Workload& workload, int ranks, int threads, const std::optional<Pace>& pace,
                     const std::optional<Fabric>& fabric) {
  const TrainParameters& parameters = workload.parameters;
  const auto shards = static_cast<int>(parameters.micro_shards());
  // Where the grid is not known, FLOPs only say how backward's time is spent: any grid does.
  const int64_t any = int64_t{1} << parameters.depth;
  const std::vector<Layer> layers = layers_of(workload.architecture(), workload.height > 0 ? workload.height : any,
                                              workload.height > 0 ? workload.width : any);

  RanksPlan plan;
  plan.ranks = ranks;
  plan.threads = threads;
  plan.reproducible = reproducible_of(parameters);
  plan.fewest = shards;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, last] = distributed::micro_shards_of(rank, ranks, shards);
    plan.fewest = std::min(plan.fewest, last - first);
    plan.most = std::max(plan.most, last - first);
    plan.idle += first == last;
  }
  plan.rounds = rounds_of(plan.most, threads);
  if (workload.samples) {
    plan.steps_per_epoch = steps_per_epoch(*workload.samples, parameters.global_batch);
    plan.steps = *plan.steps_per_epoch * parameters.epochs;
  }
  plan.buckets = gradient_buckets(parameter_slots(layers), statistic_count(layers));
  plan.exchanges =
      distributed::exchanges_of(distributed::exchanged_at_once(plan.buckets, plan.reproducible, overlaps(parameters)),
                                ranks, items_of(parameters, ranks), plan.reproducible);
  if (norm_rule(parameters.norm).over_ranks && ranks > 1) plan.norm_exchanges = norm_exchanges_of(layers);
  for (const auto* exchanges : {&plan.exchanges, &plan.norm_exchanges}) {
    for (const Exchange& exchange : *exchanges) plan.sent_bytes += distributed::sent_bytes(exchange, ranks);
  }
  plan.memory = memory_of(workload, plan, layers);
  if (pace && (fabric || ranks == 1)) plan.times = times_of(workload, plan, layers, *pace, fabric.value_or(Fabric{}));
  return plan;
}

double efficiency_of(const StepTimes& one, const RanksPlan& plan) {
  return one.step() / (plan.ranks * plan.times->step());
}

std::pair<int, int> even_ranks(int micro_shards, int threads, int ranks) {
  int below = 0, above = 0;
  for (int count = 1; count <= micro_shards; ++count) {
    if (micro_shards % count != 0 || (micro_shards / count) % threads != 0) continue;
    if (count < ranks) below = count;
    if (count > ranks && above == 0) above = count;
  }
  return {below, above};
}

}  // namespace penstock::stages
