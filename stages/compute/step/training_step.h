// What the training loop drives: one step of data-parallel training, and the pass over validation, on some device. The
// implementations are HostStep and DeviceStep; make_step.h chooses.
//
// One object per rank, called by one thread. Collective where marked: every rank calls it, in the same order. All ranks
// hold the same weights after every step.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/reducer/gradient_reducer.h"
#include "stages/arithmetic/figures.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/flat_layout.h"
#include "stages/compute/model/model_folder.h"
#include "stages/compute/step/losses.h"
#include "stages/compute/step/step_samples.h"
#include "stages/training/targets.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

struct StepResult {
  Figures figures;           // loss: mean over the global batch; shares: of its pixels
  double gradient_norm = 0;  // before clipping
  bool interrupted = false;  // any rank was asked to stop
  std::string fault;         // what was NaN or infinite ("the loss", "the gradient of bottom_conv1.weight"): no update
};

struct StepOptions {
  distributed::Reproducible reproducible = distributed::Reproducible::world;
  bool overlap = false;  // reduce gradients while backward continues
  bool graph = true;     // on a device that has them: record the step once, then replay it; the same bits either way
};

// All that a training carries from step to step, on the host, in the order of FlatLayout.
struct StepState {
  Weights weights;
  std::vector<float> first, second;  // the optimiser's moments (optimiser.h)
  int64_t updates = 0;               // the optimiser's step count
  Weights averaged;                  // train.ema: the average of weights and running statistics; else empty
};

class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  // Collective. Forward and backward of every micro-shard, one reduction, one update. `samples` is the same vector at
  // every call; `order`, a permutation of the indices of its crops (step_samples.h), is the epoch's; `step` counts from
  // 0 in the epoch; `interrupted`: this rank was asked to stop. All arguments but the last are the same on every rank.
  virtual StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                          int64_t step, double lr, bool interrupted) = 0;

  // Collective. Loss (mean over tiles) and shares of pixels over `samples`, of which each counts once, in micro-batches
  // of a fixed shape that the ranks share. The same figures at any rank count. `samples` stays as it is between calls.
  virtual Figures validate(const std::vector<GridSample>& samples) = 0;

  // Whether gradients are reduced while backward continues. set_overlap: from the next step on, the same on every rank;
  // only where may_choose_overlap().
  virtual void set_overlap(bool overlap) = 0;
  virtual bool may_choose_overlap() const { return true; }
  virtual bool overlaps() const = 0;

  // Copies; from a device they are fetched.
  virtual StepState state() const = 0;
  virtual Weights current_weights() const = 0;
  // What validate() measures and a training publishes: with train.ema the averaged weights, else current_weights().
  virtual Weights measured_weights() const = 0;
  // The same on every rank. Sizes that do not match the layout fail a check.
  virtual void load(const StepState& state) = 0;
  // An average begins anew with these.
  virtual void load_weights(const Weights& weights) = 0;

  virtual const FlatLayout& layout() const = 0;
  virtual std::string device_name() const = 0;                 // "cpu", "NVIDIA H100 80GB HBM3"
  virtual distributed::Reproducible reproducible() const = 0;  // what it keeps to
};

// The pieces that all devices share.

// Before the first step of a process: memory that a step gives back stays with the process, for the next one.
void keep_memory();

// Weight of a step's statistics in the running ones, as PyTorch's default.
inline constexpr float statistics_momentum = 0.1f;

// Checks that the arrays have the sizes of the layout; `moments`: how many the optimiser keeps; `averages`: whether an
// average of the weights is kept.
void check_state(const FlatLayout& layout, const Weights& weights);
void check_state(const FlatLayout& layout, const StepState& state, int moments, bool averages);

// Checks the arguments of a step that every device relies on.
void check_step(const StepSamples& data, const std::vector<int>& order, int64_t step);

// How a training with these parameters draws its crops.
CropRules crop_rules_of(const TrainParameters& parameters);

// What its network learns of each pixel, and by which losses.
TargetList targets_of(const TrainParameters& parameters);
Loss loss_of(const TrainParameters& parameters);

// How many of the network's parameters, from the first, learn at a rate of their own, and that as a share of the
// learning rate.
struct PartRate {
  size_t parameters = 0;
  double share = 1;

  bool operator==(const PartRate&) const = default;
};
// Of the encoder in this epoch, counted from 0: 0 while it is frozen (train.freeze), else train.encoder_lr.
PartRate encoder_rate(const TrainParameters& parameters, const FlatLayout& layout, int64_t epoch);

// What is NaN or infinite in a step whose loss or gradient norm is: the first parameter whose gradient is, else the
// loss. `gradient_of` returns where the summed gradient of parameter i of the layout begins.
std::string fault_of(const FlatLayout& layout, const std::function<const float*(size_t)>& gradient_of);

// Collective. Cuts the tiles into micro-batches and has each worked on by one rank: `batch(worker, first, real, sums)`
// sets the sums over tiles [first, first + real): of the loss, and of pixels that are tp, fp, fn, tn over the pixels of
// an input. `run(items, body)` calls body(worker, item).
Figures validation_figures(distributed::Communicator& ranks, const StepSamples& data, int64_t micro_batch,
                           const std::function<void(int items, const std::function<void(int worker, int item)>&)>& run,
                           const std::function<void(int worker, int64_t first, int64_t real, Figures& sums)>& batch);

// `take` is called by backward when the parameter's gradient is complete. Taking it away (instead of letting backward
// add to a buffer that must be zeroed) costs one pass over it.
void take_gradients(torch::Tensor parameter, std::function<void(const torch::Tensor& gradient)> take);

}  // namespace penstock::stages
