// One step of data-parallel training, and the pass over validation: what the ranks compute, without what they decide.
#pragma once

#include <memory>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/gradient_reducer.h"
#include "stages/compute/batches.h"
#include "stages/compute/metrics.h"
#include "stages/compute/model_folder.h"
#include "stages/compute/optimiser.h"
#include "stages/compute/worker_pool.h"
#include "stages/train.h"

namespace penstock::stages {

// The figures of an epoch, or the sums they come from. Shares of pixels, so that float32 carries them.
struct Figures {
  double loss = 0, tp = 0, fp = 0, fn = 0, tn = 0;
};

struct StepResult {
  Figures figures;           // loss: mean over the global batch; shares: of its pixels
  double gradient_norm = 0;  // before clipping
  bool interrupted = false;  // any rank was asked to stop
  std::string fault;         // what was no number ("the loss", "the gradient of bottom_conv1.weight"): nothing was updated
};

struct StepOptions {
  distributed::Reproducible reproducible = distributed::Reproducible::world;
  bool overlap = false;  // reduce gradients while backward goes on
};

// Flat weights, their optimiser's state, and per worker a replica that aliases them. One object per rank; collective where
// said so. All ranks hold the same weights after every step.
class TrainingState {
 public:
  TrainingState(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid, Normaliser normaliser,
                distributed::Communicator& ranks, int threads, const StepOptions& options);
  ~TrainingState();

  // Collective. Forward and backward of every micro-shard side by side, one reduction, one update.
  StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step, double lr, bool interrupted);

  // Collective. Loss (mean over samples) and counts over `samples`, in micro-batches of a fixed shape, shared out by rank.
  Figures validate(const std::vector<GridSample>& samples);

  // From the next step on, on every rank.
  void set_overlap(bool overlap) { reducer_->set_overlap(overlap); }

  Weights weights;
  Optimiser optimiser;
  int64_t updates = 0;  // the optimiser's step count
  const FlatLayout& layout() const { return layout_; }

 private:
  struct Replica;
  void run_item(Replica& replica, const std::vector<const GridSample*>& samples, const std::vector<Orientation>& orientations, int64_t epoch, int64_t step,
                int item, bool interrupted);
  std::pair<int, int> shards_of_item(int item) const;
  std::vector<distributed::Bucket> buckets() const;
  std::string fault_in(const float* sum) const;
  size_t bucket_of(const FlatLayout::Slot& slot) const;
  void watch(Replica& replica);
  torch::Tensor loss_of(const torch::Tensor& logits, const torch::Tensor& masks) const;

  TrainParameters parameters_;
  ShardIndex grid_;
  Normaliser normaliser_;
  distributed::Communicator& ranks_;
  Augmentation augmentation_;
  const FlatLayout layout_;
  const bool together_;  // a rank's micro-shards at once: norms over the whole batch
  const int items_;      // what the reducer adds up: micro-shards, or ranks' shares
  std::unique_ptr<distributed::Communicator> norm_ranks_;
  std::unique_ptr<distributed::GradientReducer> reducer_;
  std::vector<size_t> slots_in_bucket_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace penstock::stages
