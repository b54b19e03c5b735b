#include "stages/compute/training/training_telemetry.h"

namespace penstock::stages {

namespace {

double mean(double sum, int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0.0; }

}  // namespace

void TrainingTelemetry::add_step(int64_t images, double seconds, double waited_seconds) {
  images_ += images;
  seconds_ += seconds;
  ++steps_;
  waited_ += waited_seconds;
  ++epoch_steps_;
  epoch_waited_ += waited_seconds;
}

void TrainingTelemetry::add_epoch(int64_t epoch, double seconds, double images_per_second) {
  epoch_times_.push_back({{"epoch", epoch},
                          {"seconds", seconds},
                          {"images_per_second", images_per_second},
                          {"data_wait_seconds", epoch_wait()}});
  epoch_steps_ = 0;
  epoch_waited_ = 0;
}

double TrainingTelemetry::epoch_wait() const { return mean(epoch_waited_, epoch_steps_); }

double TrainingTelemetry::images_per_second() const {
  return seconds_ > 0 ? static_cast<double>(images_) / seconds_ : 0.0;
}

void TrainingTelemetry::write_to(pipeline::Value& checkpoint) const {
  checkpoint["resumed_at"] = resumed_at_;
  checkpoint["epoch_times"] = epoch_times_;
}

void TrainingTelemetry::restore(const pipeline::Value& checkpoint) {
  resumed_at_ = checkpoint.at("resumed_at");
  epoch_times_ = checkpoint.at("epoch_times");
}

pipeline::Value TrainingTelemetry::to_json() const {
  return {{"images_per_second", images_per_second()},
          {"data_wait_seconds", mean(waited_, steps_)},
          {"epochs", epoch_times_},
          {"resumed_at_steps", resumed_at_}};
}

}  // namespace penstock::stages
