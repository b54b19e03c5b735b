// The training step of a device: everything from choosing the samples to the updated weights is enqueued there as one
// piece of work, which a GPU records once as a graph and replays. The data set lies on the device as bytes. Master
// weights, moments and the summed gradient are float32; with precision = "bf16" the network works on rounded copies.
//
// The mathematics is the host's step's (training_step.h), its rounding is not. A rank's micro-shards follow each other.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "stages/compute/training/batches.h"
#include "stages/compute/training/device_layout.h"
#include "stages/compute/training/optimiser.h"
#include "stages/compute/training/resident_samples.h"
#include "stages/compute/training/step.h"
#include "stages/compute/training/step_device.h"

namespace penstock::stages {

// The device's memory is not enough. The message says for what, and names peak and limit.
class DeviceMemoryError : public Error {
 public:
  explicit DeviceMemoryError(const std::string& message) : Error(ExitCode::environment, message) {}
};

class DeviceStep final : public TrainingStep {
 public:
  // `ranks` carries what the host says; gradients meet through `device`. With Reproducible::world they meet on the
  // host, along the tree, and nothing is recorded.
  DeviceStep(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid,
             Normaliser normaliser, distributed::Communicator& ranks, std::unique_ptr<StepDevice> device,
             const StepOptions& options);
  ~DeviceStep() override;

  StepResult step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step,
                  double lr, bool interrupted) override;
  Figures validate(const std::vector<GridSample>& samples) override;
  void set_overlap(bool) override {}  // decided when it was made: a recorded step is not changed
  bool may_choose_overlap() const override { return false; }
  StepState state() const override;
  Weights current_weights() const override;
  void load(const StepState& state) override;
  void load_weights(const Weights& weights) override;
  const FlatLayout& layout() const override { return layout_; }
  std::string device_name() const override { return device_->name(); }
  distributed::Reproducible reproducible() const override { return options_.reproducible; }

  bool replays() const { return recorded_; }
  StepDevice& device() { return *device_; }

 private:
  const ResidentSamples& resident(const std::vector<GridSample>& samples);
  void make_buffers();
  void view_weights();
  void take(size_t slot, const torch::Tensor& gradient);
  void flush(size_t bucket);
  void write_orders(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step,
                    double lr, bool interrupted);
  void gather(const ResidentSamples& data, int64_t first);
  void shard(const ResidentSamples& data, int index);
  void update();
  void whole_step(const ResidentSamples& data);
  void step_along_the_tree(const ResidentSamples& data);
  void enqueue(const std::vector<GridSample>& samples);
  std::string fault() const;
  torch::Tensor tail() { return vector_.narrow(0, padded_.parameter_count, layout_.statistic_count + step_figures); }
  float* vector_at(int64_t offset) { return vector_.data_ptr<float>() + offset; }
  std::vector<float> fetch(const torch::Tensor& values) const;

  TrainParameters parameters_;
  ShardIndex grid_;
  Normaliser normaliser_;
  distributed::Communicator& ranks_;
  std::unique_ptr<StepDevice> device_;
  StepOptions options_;
  Augmentation augmentation_;
  OptimiserKind kind_;
  UNet model_;
  const FlatLayout layout_;
  const DeviceLayout padded_;
  const bool low_;            // the network works on bfloat16
  std::pair<int, int> mine_;  // micro-shards
  int64_t updates_ = 0;

  torch::Tensor weights_, rounded_, first_, second_;  // flat, as DeviceLayout says
  torch::Tensor statistics_;                          // running
  torch::Tensor own_statistics_;  // of the micro-shard that is worked on; the network's buffers are views
  torch::Tensor vector_;          // gradient, statistics, figures: summed over micro-shards, then ranks
  torch::Tensor counts_, partials_, verdict_, orders_;
  torch::Tensor batch_images_, batch_masks_;
  std::vector<torch::Tensor> gradient_views_;        // of vector_, one a parameter
  std::vector<std::shared_ptr<void>> accumulators_;  // made in the device's own order of work, and kept there
  std::map<const void*, ResidentSamples> resident_;
  uint8_t* told_ = nullptr;        // exchange memory: StepOrders, samples, orientations
  StepVerdict* judged_ = nullptr;  // exchange memory
  std::optional<at::Generator> dropout_;
  std::string what_;

  // Of the backward that is under way.
  std::vector<distributed::Bucket> buckets_;
  std::vector<size_t> bucket_of_;                            // each parameter's
  std::vector<size_t> missing_;                              // of each bucket
  std::vector<std::vector<torch::Tensor>> taken_, targets_;  // of each bucket
  size_t next_bucket_ = 0;
  bool first_shard_ = false, last_shard_ = false;

  std::unique_ptr<distributed::GradientReducer> tree_;  // Reproducible::world
  int64_t eager_steps_ = 0;
  bool recorded_ = false, tried_ = false;
  const void* recorded_samples_ = nullptr;
};

}  // namespace penstock::stages
