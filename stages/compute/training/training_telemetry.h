// Times, rates and resumes of a training, as telemetry.json (a volatile output) has them. Not thread-safe; each rank
// keeps its own, rank 0's is published.
#pragma once

#include "pipeline/value.h"

namespace penstock::stages {

class TrainingTelemetry {
 public:
  // `waited_seconds`: of the step's, for want of pixels.
  void add_step(int64_t images, double seconds, double waited_seconds);
  void add_epoch(int64_t epoch, double seconds, double images_per_second);
  void add_resume(int64_t step) { resumed_at_.push_back(step); }

  double mean_step_seconds() const { return seconds_ / static_cast<double>(steps_); }  // of this process
  double images_per_second() const;                                                    // 0: no step yet

  double epoch_wait() const;  // seconds a step, since the last epoch was added

  // {"resumed_at", "epoch_times"}: what a checkpoint carries on to the next process.
  void write_to(pipeline::Value& checkpoint) const;
  void restore(const pipeline::Value& checkpoint);
  // {"images_per_second", "data_wait_seconds", "epochs", "resumed_at_steps"}
  pipeline::Value to_json() const;

 private:
  pipeline::Value epoch_times_ = pipeline::Value::array();
  pipeline::Value resumed_at_ = pipeline::Value::array();
  int64_t images_ = 0, steps_ = 0;
  double seconds_ = 0, waited_ = 0;
  int64_t epoch_steps_ = 0;
  double epoch_waited_ = 0;
};

}  // namespace penstock::stages
