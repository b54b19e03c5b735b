// The training step on the host: micro-shards side by side on single threads, their gradients summed along one tree.
#pragma once

#include <memory>
#include <vector>

#include "stages/compute/scores/metrics.h"
#include "stages/compute/training/batches.h"
#include "stages/compute/training/optimiser.h"
#include "stages/compute/training/step.h"
#include "stages/compute/training/worker_pool.h"

namespace penstock::stages {

// Flat weights, their optimiser's state, and per worker a replica that aliases them.
class TrainingState final : public TrainingStep {
 public:
  TrainingState(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid,
                Normaliser normaliser, distributed::Communicator& ranks, int threads, const StepOptions& options);
  ~TrainingState() override;

  StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step,
                  double lr, bool interrupted) override;

  Figures validate(const std::vector<GridSample>& samples) override;
  void set_overlap(bool overlap) override { reducer_->set_overlap(overlap); }
  StepState state() const override { return {weights, optimiser.first, optimiser.second, updates}; }
  Weights current_weights() const override { return weights; }
  void load(const StepState& state) override;
  void load_weights(const Weights& given) override;

  Weights weights;
  Optimiser optimiser;
  int64_t updates = 0;  // the optimiser's step count
  const FlatLayout& layout() const override { return layout_; }
  std::string device_name() const override { return "cpu"; }
  distributed::Reproducible reproducible() const override { return reproducible_; }
  // From the next step on, on every rank; not with synchronised norms. For a benchmark that takes both in turn.
  void set_reproducible(distributed::Reproducible mode);

 private:
  struct Replica;
  void run_item(Replica& replica, const std::vector<const GridSample*>& samples,
                const std::vector<Orientation>& orientations, int64_t epoch, int64_t step, int item, bool interrupted);
  std::pair<int, int> shards_of_item(int item) const;
  std::vector<distributed::Bucket> buckets() const;
  std::string fault_in(const float* sum) const;
  size_t bucket_of(const FlatLayout::Slot& slot) const;
  void watch(Replica& replica);

  TrainParameters parameters_;
  ShardIndex grid_;
  Normaliser normaliser_;
  distributed::Communicator& ranks_;
  Augmentation augmentation_;
  const FlatLayout layout_;
  const bool together_;  // a rank's micro-shards at once: norms over the whole batch
  distributed::Reproducible reproducible_;
  const int items_;  // what the reducer adds up: micro-shards, or ranks' shares
  std::unique_ptr<distributed::Communicator> norm_ranks_;
  std::unique_ptr<distributed::GradientReducer> reducer_;
  std::vector<size_t> slots_in_bucket_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace penstock::stages
