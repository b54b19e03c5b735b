// When a training saves its state: at intervals by what saving costs, and before it is to end. On rank 0 a thread
// writes while training continues; on other ranks calls that are not collective do nothing.
//
// One object per training and rank, called by the training loop.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "pipeline/stage.h"
#include "stages/compute/training/training_checkpoints.h"

namespace penstock::stages {

class TrainingSaver {
 public:
  TrainingSaver(const TrainParameters& parameters, pipeline::StageContext& context);

  bool is_due() const;       // the interval has passed
  bool is_half_due() const;  // half of it: soon enough for a state worth keeping, such as the best epoch's
  // Takes the snapshot that `state` returns, which is called only where it is written.
  void save(const std::function<std::pair<Checkpoint, CheckpointManifest>()>& state, int64_t step);
  void finish();       // whatever was begun is on disk after it
  void stop_saving();  // a replay writes nothing
  CheckpointCost cost() const;

  // Collective. Saves once to see how long it takes here. Throws Error(environment) on every rank where the time that
  // the job has left is not enough for that and training.
  void require_time(const std::function<void()>& save);
  // Logs once, when it is known how long saving takes here: what to do where a step and a save outlast mpirun's grace.
  void advise_on_stopping(double step_seconds);

 private:
  double interval() const { return checkpoint_interval(parameters_, writer_->cost()); }
  double seconds_since_last() const;

  using Clock = std::chrono::steady_clock;
  const TrainParameters& parameters_;
  pipeline::StageContext& context_;
  std::optional<CheckpointWriter> writer_;  // on rank 0
  Clock::time_point last_ = Clock::now();
  bool advised_ = false;
};

}  // namespace penstock::stages
