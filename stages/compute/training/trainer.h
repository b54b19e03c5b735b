// The training loop: epochs, callbacks, checkpoints, interruption. Every rank runs it; rank 0 writes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/stage.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/training/step.h"
#include "stages/compute/training/training_checkpoints.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {

struct TrainData {
  ShardIndex grid;
  std::vector<GridSample> train, validation;
};

class Trainer {
 public:
  Trainer(const TrainParameters& parameters, const TrainData& data, const Normaliser& normaliser,
          pipeline::StageContext& context);

  // Collective. Starts from these weights instead of random ones, unless a checkpoint is there.
  void start_from(const Weights& weights);
  // Collective. Trains to the end, from the newest checkpoint when there is one, else from what a shorter run of the
  // family kept. False on every rank: given up by the sweep, with its state saved. Throws Error(interrupted) on every
  // rank after saving, when any rank was asked to stop; Error(data) when the loss is no number.
  bool train();

  // Collective. The same steps again, from the checkpoint to `until` finished steps, saving nothing. Returns the digest
  // of weights and running statistics.
  std::string replay(int64_t until);

  Weights final_weights() const;
  const FlatLayout& layout() const { return step_->layout(); }
  Architecture architecture() const { return architecture_; }
  pipeline::Value curves() const;
  pipeline::Value telemetry() const;  // rank 0; times, rates, resumes

 private:
  using Clock = std::chrono::steady_clock;

  bool is_over() const { return epoch_ >= parameters_.epochs || stopped_early_ || given_up_ || position() == until_; }
  int64_t position() const { return epoch_ * steps_per_epoch_ + step_in_epoch_; }  // finished steps
  void restore(const FoundCheckpoint& found);
  bool run_epoch();
  void end_epoch();
  bool survive(const std::string& fault);
  void choose_overlap();
  void check_agreement() const;
  bool goes_on(const pipeline::Value& row, bool last);
  void save();
  void finish_saving();
  void require_time();
  void advise_on_stopping();
  std::optional<FoundCheckpoint> find(const std::vector<std::filesystem::path>& relatives) const;
  void record_step(const StepResult& result, double seconds);
  double learning_rate() const;

  TrainParameters parameters_;
  const TrainData& data_;
  pipeline::StageContext& context_;
  distributed::Communicator& ranks_;
  Architecture architecture_;
  std::unique_ptr<TrainingStep> step_;
  std::vector<std::string> ids_;
  int64_t steps_per_epoch_;

  // What a checkpoint carries, beside the arrays.
  int64_t epoch_ = 0;                                  // finished epochs
  int64_t step_in_epoch_ = 0;                          // finished steps of the next one
  std::vector<double> sums_ = std::vector<double>(6);  // of the epoch's figures so far, and their number
  std::set<int64_t> passed_over_;                      // steps (from 0) without a number
  pipeline::Value epochs_ = pipeline::Value::array();
  TrainingRules rules_;
  Weights best_weights_;
  bool stopped_early_ = false;
  bool given_up_ = false;

  // What is only told, or only decides how fast.
  pipeline::Value fingerprint_;
  std::optional<CheckpointWriter> writer_;  // on rank 0
  Clock::time_point last_save_ = Clock::now(), epoch_start_ = Clock::now();
  pipeline::Value epoch_times_ = pipeline::Value::array();
  pipeline::Value resumed_at_ = pipeline::Value::array();
  int64_t images_seen_ = 0;
  double training_seconds_ = 0;
  int64_t until_ = -1;  // of a replay
  int faults_ = 0;      // in a row
  int tried_ = 0;       // steps of choose_overlap
  std::vector<double> tried_seconds_[2];
  bool overlaps_ = false;
  bool advised_ = false;
};

}  // namespace penstock::stages
