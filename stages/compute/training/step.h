// What the training loop drives: one step of data-parallel training, and the pass over validation, on some device.
//
// One object per rank; collective where said so. All ranks hold the same weights after every step. Called by one
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/reducer/gradient_reducer.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/model_folder.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// The figures of an epoch, or the sums they come from. Shares of pixels, so that float32 carries them.
struct Figures {
  double loss = 0, tp = 0, fp = 0, fn = 0, tn = 0;
};

struct StepResult {
  Figures figures;           // loss: mean over the global batch; shares: of its pixels
  double gradient_norm = 0;  // before clipping
  bool interrupted = false;  // any rank was asked to stop
  std::string fault;  // what was no number ("the loss", "the gradient of bottom_conv1.weight"): nothing was updated
};

struct StepOptions {
  distributed::Reproducible reproducible = distributed::Reproducible::world;
  bool overlap = false;  // reduce gradients while backward goes on
  bool graph = true;     // on a device that has them: record the step once, then replay it; the same bits either way
};

// All that a training carries from step to step, on the host, in the order of FlatLayout.
struct StepState {
  Weights weights;
  std::vector<float> first, second;  // the optimiser's moments (optimiser.h)
  int64_t updates = 0;               // the optimiser's step count
};

class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  // Collective. Forward and backward of every micro-shard, one reduction, one update. `samples` are the same at every
  // call; `order` is the epoch's.
  virtual StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                          int64_t step, double lr, bool interrupted) = 0;

  // Collective. Loss (mean over samples) and counts over `samples`, in micro-batches of a fixed shape, shared out by
  // rank.
  virtual Figures validate(const std::vector<GridSample>& samples) = 0;

  // From the next step on, on every rank; where it may be chosen while training goes on.
  virtual void set_overlap(bool overlap) = 0;
  virtual bool may_choose_overlap() const { return true; }

  // Copies; from a device they are fetched.
  virtual StepState state() const = 0;
  virtual Weights current_weights() const = 0;
  // The same on every rank.
  virtual void load(const StepState& state) = 0;
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

// Means over samples, so that the mathematics is the same however samples are grouped. [N,1,H,W] float32 -> [N].
torch::Tensor loss_of(const std::string& loss, const torch::Tensor& logits, const torch::Tensor& masks);

// Collective. Cuts `count` samples into micro-batches and has each worked on by one rank: `batch(worker, first, real,
// row)` fills row[5] with the sums of loss, tp, fp, fn, tn over samples [first, first + real). `run(items, body)` calls
// body(worker, item).
Figures validation_figures(distributed::Communicator& ranks, int64_t count, int64_t micro_batch,
                           const std::function<void(int items, const std::function<void(int worker, int item)>&)>& run,
                           const std::function<void(int worker, int64_t first, int64_t real, double* row)>& batch);

// Called by backward when one parameter's gradient is complete. Taking it away (instead of letting backward add to a
// buffer that must be zeroed) costs one pass over it.
void take_gradients(torch::Tensor parameter, std::function<void(const torch::Tensor& gradient)> take);

}  // namespace penstock::stages
