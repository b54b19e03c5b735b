// A training on N ranks, predicted: who does what, what a rank holds and sends, and how long a step takes. Pure
// functions of the parameters; they use the functions by which the trainer itself decides (training_layout.h,
// gradient_reducer.h).
//
// The step, by the alpha-beta model of distributed/reducer/link_model.h:
//   step    = rounds x micro-shard + exposed + update
//   rounds  = ceil(most micro-shards of a rank / its threads), which work side by side
//   exposed = what of the buckets' exchange is not hidden. With overlap bucket b is ready when backward of the last
//   round has
//             reached it (backward is two thirds of a micro-shard, spent in proportion to the layers' FLOPs), and is
//             exchanged when those before it are: exposed = end of the last exchange - end of backward. Without overlap
//             all of it.
//   efficiency = step on 1 rank / (N x step on N ranks)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "distributed/reducer/exchange.h"
#include "distributed/reducer/link_model.h"
#include "stages/training/architecture.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

struct Workload {
  TrainParameters parameters;
  int64_t channels = 3, height = 0, width = 0;  // of a sample; height 0: not known yet
  int64_t bits = 8;                             // of a value of a sample
  std::optional<int64_t> samples;               // of the train subset, or crops of an epoch
  int64_t held = 0;                             // samples of that size that each rank keeps in memory

  Architecture architecture() const { return architecture_of(parameters, channels); }
};

// How fast this machine is.
struct Pace {
  double micro_shard_seconds =
      0;                      // forward and backward of one on one thread, while the rank's other threads do the same
  double update_seconds = 0;  // clipping and the optimiser, the same on every rank
};
// From a step of `step_seconds` on `ranks` x `threads`.
Pace pace_of(double step_seconds, double update_seconds, const TrainParameters& parameters, int ranks, int threads);

// Bytes that one rank holds. P parameters, S running statistics, L = P + S + 6, all float32; what is LibTorch's own was
// fitted to the peaks of 14 trainings of five networks on one and two ranks:
struct Memory {
  double weights = 0;    // 2 (P + S): those in use and the best epoch's; with train.ema 3 (P + S)
  double optimiser = 0;  // 2 P, SGD: P
  double gradients = 0;  // L a micro-shard of the rank; one more for the sum, where there are other ranks
  double exchange = 0;   // "world": what is sent and received of the largest bucket
  double activations =
      0;  // a micro-shard's on each thread: what backward needs, and its widest moment; 0: grid not known
  double convolutions = 0;  // 1.7 P: other forms of weights and gradients that LibTorch makes for a moment
  double samples = 0;       // train and validation, uint8; at most train.cache_bytes
  double checkpoint = 0;    // rank 0: weights and optimiser twice, where one is saved before the last is written
  double program = 0;       // LibTorch and MPI, loaded

  // Of rank 0, which has the most.
  double total() const {
    return weights + optimiser + gradients + exchange + activations + convolutions + samples + checkpoint + program;
  }
};

struct StepTimes {
  double compute = 0;   // seconds, the slowest rank's
  double exchange = 0;  // all of it, hidden or not
  double exposed = 0;
  double update = 0;

  double step() const { return compute + exposed + update; }
};

struct RanksPlan {
  int ranks = 1, threads = 1;
  distributed::Reproducible reproducible = distributed::Reproducible::run;
  int fewest = 0, most = 0;  // micro-shards of a rank in a step
  int idle = 0;              // ranks that train nothing
  int rounds = 0;
  std::optional<int64_t> steps_per_epoch, steps;
  std::vector<distributed::Bucket> buckets;
  std::vector<distributed::Exchange> exchanges;       // of a step's buckets
  std::vector<distributed::Exchange> norm_exchanges;  // of a step's synchronised norms
  double sent_bytes = 0;                              // by each rank in a step
  Memory memory;
  std::optional<StepTimes> times;  // with a pace, and with a fabric where there are several ranks
};

RanksPlan plan_ranks(const Workload& workload, int ranks, int threads, const std::optional<Pace>& pace,
                     const std::optional<distributed::Fabric>& fabric);

// Of times on 1 rank and on N.
double efficiency_of(const StepTimes& one, const RanksPlan& plan);

// The rank counts next to `ranks`, below and above, on which every thread has the same work in a step; 0: there is
// none.
std::pair<int, int> even_ranks(int micro_shards, int threads, int ranks);

}  // namespace penstock::stages
