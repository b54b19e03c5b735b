// The training step on the host: micro-shards side by side on single threads, their gradients summed along one tree.
// Weights, moments and gradients are float32; with precision = "bf16" the networks work on rounded copies of the
// weights. Made by make_step.h; used through TrainingStep, which says what is collective and when results are safe to
// read.
#pragma once

#include <memory>
#include <vector>

#include "stages/compute/step/batches.h"
#include "stages/compute/step/losses.h"
#include "stages/compute/step/optimiser.h"
#include "stages/compute/step/training_step.h"
#include "stages/compute/step/worker_pool.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// Flat weights, their optimiser's state, and per worker a replica of the network that aliases the weights.
class HostStep final : public TrainingStep {
 public:
  HostStep(const TrainParameters& parameters, const Architecture& architecture, const InputShape& input,
           Normaliser normaliser, distributed::Communicator& ranks, int threads, const StepOptions& options);
  ~HostStep() override;

  StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step,
                  double lr, bool interrupted) override;

  Figures validate(const std::vector<GridSample>& samples) override;
  void set_overlap(bool overlap) override;
  bool overlaps() const override { return overlap_ && ranks_.size() > 1; }
  StepState state() const override { return {weights_, optimiser_.first, optimiser_.second, updates_, averaged_}; }
  Weights current_weights() const override { return weights_; }
  Weights measured_weights() const override { return averages() ? averaged_ : weights_; }
  void load(const StepState& state) override;
  void load_weights(const Weights& given) override;

  const FlatLayout& layout() const override { return layout_; }
  std::string device_name() const override { return "cpu"; }
  distributed::Reproducible reproducible() const override { return reproducible_; }
  // From the next step on, on every rank; fails a check where norms span the ranks. For a benchmark that alternates.
  void set_reproducible(distributed::Reproducible mode);

 private:
  bool averages() const { return parameters_.ema > 0; }
  void exchange_averaged();
  void round_weights();
  // What a worker's item of a step is.
  struct Item {
    int index = 0;
    std::vector<BatchRow> rows;
    std::vector<SampleLook> looks;  // at their samples
  };
  struct Replica;
  void join_norms(Replica& replica);
  torch::Tensor logits_of(Replica& replica, const torch::Tensor& images, std::optional<at::Generator> dropout);
  Item item_of(int index, const StepSamples& data, const std::vector<int>& order, int64_t epoch, int64_t step) const;
  void run_item(Replica& replica, const StepSamples& data, Item& item, int64_t epoch, int64_t step, bool interrupted);
  void write_tail(const Replica& replica, const torch::Tensor& logits, const Batch& batch, const Item& item, float loss,
                  bool interrupted);
  Figures validate_batch(Replica& replica, const StepSamples& data, int64_t first, int64_t real);
  std::pair<int, int> shards_of_item(int item) const;
  std::vector<distributed::Bucket> buckets() const;
  void hook_gradients(Replica& replica);

  TrainParameters parameters_;
  InputShape input_;
  distributed::Communicator& ranks_;
  KnownSamples known_;
  const CropRules crop_rules_;
  const Loss loss_;
  const FlatLayout layout_;
  const bool whole_share_;  // an item is all of a rank's micro-shards: the norm spans the ranks
  distributed::Reproducible reproducible_;
  bool overlap_;
  const int items_;  // what the reducer adds up: micro-shards, or ranks' shares
  Weights weights_;
  Weights averaged_;                   // train.ema; else empty
  std::vector<at::BFloat16> rounded_;  // the parameters as the networks see them; empty: float32
  Optimiser optimiser_;
  int64_t updates_ = 0;  // the optimiser's step count
  std::unique_ptr<distributed::Communicator> norm_ranks_;
  std::unique_ptr<distributed::GradientReducer> reducer_;
  std::vector<size_t> slots_in_bucket_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace penstock::stages
