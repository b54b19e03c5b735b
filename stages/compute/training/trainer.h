// The training loop: epochs, callbacks, checkpoints, interruption. Every rank runs it, in one thread; rank 0 writes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/stage.h"
#include "stages/compute/data/sample_cache.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/step/training_step.h"
#include "stages/compute/training/epoch_figures.h"
#include "stages/compute/training/overlap_trial.h"
#include "stages/compute/training/read_ahead.h"
#include "stages/compute/training/training_checkpoints.h"
#include "stages/compute/training/training_saver.h"
#include "stages/compute/training/training_telemetry.h"
#include "stages/training/schedules.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {

struct TrainData {
  ShardIndex index;  // without its samples
  InputShape input;  // of the network
  std::vector<GridSample> train, validation;
  std::shared_ptr<SampleCache> cache;  // where the samples' pixels come from; null: they are all here
};

class Trainer {
 public:
  // Collective. `data` and `context` must outlive it.
  Trainer(const TrainParameters& parameters, const TrainData& data, const Normaliser& normaliser,
          pipeline::StageContext& context);

  // Collective. Starts from these weights instead of random ones, unless a checkpoint is there.
  void start_from(const Weights& weights);
  Weights current_weights() const { return step_->current_weights(); }
  // Collective. Trains to the end, from the newest checkpoint when there is one, else from what a shorter run of the
  // family kept. False on every rank: given up by the sweep, with its state saved. Throws Error(interrupted) on every
  // rank after saving, when any rank was asked to stop; Error(data) when the loss is NaN or infinite.
  bool train();

  // Collective. The same steps again, from the checkpoint to `until` finished steps, saving nothing. Returns the digest
  // of weights and running statistics, the averaged ones with them.
  std::string replay(int64_t until);

  // After train(), on any rank.
  Weights final_weights() const;
  const FlatLayout& layout() const { return step_->layout(); }
  Architecture architecture() const { return architecture_; }
  pipeline::Value curves() const;
  pipeline::Value telemetry() const;  // rank 0; times, rates, resumes

 private:
  using Clock = std::chrono::steady_clock;
  struct EpochDecision {
    bool best = false, stop = false, give_up = false;
  };

  bool is_over() const { return epoch_ >= parameters_.epochs || stopped_early_ || given_up_ || position() == until_; }
  int64_t position() const { return epoch_ * steps_per_epoch_ + step_in_epoch_; }  // finished steps
  std::optional<FoundCheckpoint> find(const std::vector<std::filesystem::path>& relatives) const;
  void restore(const FoundCheckpoint& found);
  void replay_decisions();
  double learning_rate() const;
  std::vector<int> order_of(int64_t epoch) const;
  bool run_epoch();
  StepResult run_step(const std::vector<int>& order);
  void record_step(const StepResult& result, double seconds);
  bool survive(const std::string& fault);
  pipeline::Digest digest_of_state() const;
  void check_agreement() const;
  bool publishes_best() const;
  [[noreturn]] void stop_interrupted();
  void end_epoch();
  EpochDecision decide(const pipeline::Value& row);
  void report_epoch(const pipeline::Value& row, bool best, double rate_factor_before);
  bool sweep_continues(const pipeline::Value& row, bool last);
  void save();
  std::pair<Checkpoint, CheckpointManifest> snapshot() const;

  const TrainParameters parameters_;
  const TrainData& data_;
  pipeline::StageContext& context_;
  distributed::Communicator& ranks_;
  const Architecture architecture_;
  const ScheduleRule& schedule_;
  std::unique_ptr<TrainingStep> step_;
  std::vector<std::string> ids_;  // of each crop of an epoch, its sample's id and its number there
  std::vector<int> numbers_;
  int64_t steps_per_epoch_;

  // What a checkpoint carries, beside the arrays.
  int64_t epoch_ = 0;              // finished epochs
  int64_t step_in_epoch_ = 0;      // finished steps of the next one
  EpochSums sums_;                 // of the epoch so far
  std::set<int64_t> passed_over_;  // steps (from 0) whose loss or gradient was NaN or infinite
  pipeline::Value epochs_ = pipeline::Value::array();
  TrainingRules rules_;
  Weights best_weights_;
  bool stopped_early_ = false;
  bool given_up_ = false;

  // What is only reported, or only decides how fast.
  pipeline::Value fingerprint_;
  TrainingSaver saver_;
  OverlapTrial overlap_trial_;
  ReadAhead reading_;
  TrainingTelemetry telemetry_;
  Clock::time_point epoch_start_ = Clock::now();
  int64_t until_ = -1;  // of a replay
  int faults_ = 0;      // in a row
};

}  // namespace penstock::stages
