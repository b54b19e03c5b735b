// The training steps that `penstock bench train` measures, on random data: those of a training, and the same work
// without a reducer. Objects are called by one thread; steps of a training are collective.
#pragma once

#include <memory>
#include <vector>

#include "distributed/communicator.h"
#include "stages/bench.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/optimiser.h"
#include "stages/compute/step/worker_pool.h"

namespace penstock::stages {

TrainParameters parameters_of(const BenchRequest& request);
Architecture architecture_of(const BenchRequest& request);
InputShape input_of(const BenchRequest& request);
std::vector<GridSample> random_samples(const BenchRequest& request);  // one for each place of the global batch

// Seconds that a worker takes to make one crop of the batch: with flips and quarter turns, or `all_changes`, where
// every augmentation that these channels have is on at its usual strength.
double crop_seconds(const BenchRequest& request, bool all_changes);

// A training's own steps, one a call.
template <typename Step>
class Steps {
 public:
  Steps(const BenchRequest& request, std::unique_ptr<Step> step)
      : samples_(random_samples(request)), step_(std::move(step)) {
    for (int i = 0; i < static_cast<int>(samples_.size()); ++i) order_.push_back(i);
  }
  void operator()() { step_->step(samples_, order_, 0, 0, 1e-4, false); }
  Step& step() { return *step_; }

 private:
  std::vector<GridSample> samples_;
  std::unique_ptr<Step> step_;
  std::vector<int> order_;
};

// As train would choose it; `graph` as train.graph.
std::shared_ptr<Steps<TrainingStep>> usual_steps(const BenchRequest& request, distributed::Communicator& ranks,
                                                 int threads, const std::string& graph = "auto");
// The CPU's, for comparisons of its ways.
std::shared_ptr<Steps<HostStep>> host_steps(const BenchRequest& request, distributed::Communicator& ranks, int threads);

// The same work without the reducer, for a lone rank: each worker lets backward add up its micro-shards where LibTorch
// keeps them, and the workers' sums are added before the update.
class PlainSteps {
 public:
  PlainSteps(const BenchRequest& request, int threads);
  void operator()();

 private:
  struct Worker {
    std::shared_ptr<Network> network;
    std::vector<float> statistics;
    Batch batch;
  };

  TrainParameters parameters_;
  std::vector<GridSample> samples_;
  InputShape input_;
  StepSamples data_;
  FlatLayout layout_;
  Weights weights_;
  std::vector<float> sum_;
  Optimiser optimiser_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int64_t step_ = 0;
};

}  // namespace penstock::stages
