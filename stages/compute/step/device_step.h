// The training step of a device: everything from choosing the samples to the updated weights is enqueued there as one
// piece of work, which a GPU records once as a graph and replays. The data set lies on the device as bytes. Master
// weights, moments and the summed gradient are float32; with precision = "bf16" the network works on rounded copies.
//
// The mathematics is the host's step's (host_step.h), its rounding is not. A rank's micro-shards follow each other.
// Made by make_step.h; used through TrainingStep, which says what is collective and when results are safe to read.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "stages/compute/step/device_batch.h"
#include "stages/compute/step/device_gradients.h"
#include "stages/compute/step/device_state.h"
#include "stages/compute/step/losses.h"
#include "stages/compute/step/step_device.h"
#include "stages/compute/step/training_step.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// The device's memory is not enough. The message says for what, and names peak and limit.
class DeviceMemoryError : public Error {
 public:
  explicit DeviceMemoryError(const std::string& message) : Error(ExitCode::environment, message) {}
};

class DeviceStep final : public TrainingStep {
 public:
  // `ranks` carries what the host exchanges; gradients are summed by `device`. With Reproducible::world they are summed
  // on the host, along the tree, and nothing is recorded.
  DeviceStep(const TrainParameters& parameters, const Architecture& architecture, const InputShape& input,
             const Normaliser& normaliser, distributed::Communicator& ranks, std::unique_ptr<StepDevice> device,
             const StepOptions& options);
  ~DeviceStep() override;

  StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step,
                  double lr, bool interrupted) override;
  Figures validate(const std::vector<GridSample>& samples) override;
  void set_overlap(bool) override {}  // fixed when it was made: a recorded step is not changed
  bool may_choose_overlap() const override { return false; }
  bool overlaps() const override { return options_.overlap && !tree_ && ranks_.size() > 1; }
  StepState state() const override { return state_.fetch(updates_); }
  Weights current_weights() const override { return state_.fetch_weights(); }
  void load(const StepState& state) override;
  void load_weights(const Weights& weights) override { state_.load_weights(weights); }
  const FlatLayout& layout() const override { return layout_; }
  std::string device_name() const override { return device_->name(); }
  distributed::Reproducible reproducible() const override { return options_.reproducible; }

  bool replays() const { return recording_.made; }
  StepDevice& device() { return *device_; }

 private:
  void write_orders(const StepSamples& data, const std::vector<int>& order, int64_t epoch, int64_t step, double lr,
                    bool interrupted);
  void run_shard(const ResidentSamples& data, int index);
  void tally(const torch::Tensor& logits, int64_t first, int64_t count);
  void share_figures(double pixels);
  void reduce(size_t bucket);
  void update();
  void whole_step(const ResidentSamples& data);
  void step_along_the_tree(const ResidentSamples& data);
  void enqueue(const StepSamples& samples);
  Figures validate_batch(const StepSamples& data, int64_t first, int64_t real);
  int shards() const { return mine_.second - mine_.first; }
  double pixels_of(int64_t samples) const;

  const TrainParameters parameters_;
  const InputShape input_;
  distributed::Communicator& ranks_;
  const std::unique_ptr<StepDevice> device_;
  const StepOptions options_;
  const Loss loss_;
  const std::shared_ptr<Network> network_;
  const FlatLayout layout_;
  const std::pair<int, int> mine_;  // micro-shards
  DeviceState state_;
  KnownSamples known_;
  DeviceBatch batch_;
  DeviceGradients gradients_;
  std::unique_ptr<distributed::GradientReducer> tree_;  // Reproducible::world

  torch::Tensor counts_, partials_, verdict_;  // the device's: of pixels, of the gradient's norm, of the step
  StepVerdict* host_verdict_ = nullptr;        // exchange memory: safe to read after StepDevice::wait()
  std::optional<at::Generator> dropout_;
  int64_t updates_ = 0;  // the optimiser's step count
  std::string what_;     // "step 812", for the watchdog

  // The step as a graph, where the device makes one.
  struct Recording {
    int64_t steps_before = 0;
    bool tried = false, made = false;
    const void* samples = nullptr;  // that it reads
  };
  Recording recording_;
};

}  // namespace penstock::stages
