#include "stages/compute/bench_steps.h"

#include <algorithm>

#include "stages/compute/bench_timing.h"
#include "stages/compute/step/make_step.h"
#include "stages/draws.h"
#include "stages/training/name_table.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {

std::vector<GridSample> random_samples(const BenchRequest& request) {
  std::vector<GridSample> samples;
  const auto pixels = static_cast<size_t>(request.size * request.size);
  for (int64_t i = 0; i < request.global_batch; ++i) {
    GridSample sample;
    sample.id = std::to_string(i);
    sample.width = sample.height = static_cast<int>(request.size);
    const Draws draws(i, "bench sample");
    sample.image.resize(pixels * static_cast<size_t>(request.channels));
    sample.mask.resize(pixels);
    for (size_t p = 0; p < sample.image.size(); ++p) sample.image[p] = static_cast<uint8_t>(draws.below(p, 256));
    for (size_t p = 0; p < pixels; ++p) sample.mask[p] = draws.below(p, 5) == 0;
    samples.push_back(std::move(sample));
  }
  return samples;
}

TrainParameters parameters_of(const BenchRequest& request) {
  TrainParameters parameters;
  parameters.base_channels = request.base_channels;
  parameters.depth = request.depth;
  parameters.norm = request.norm;
  parameters.global_batch = request.global_batch;
  parameters.micro_batch = request.micro_batch;
  parameters.device = request.device;
  parameters.precision = request.precision;
  return parameters;
}

Architecture architecture_of(const BenchRequest& request) {
  return {request.channels, request.base_channels, request.depth, request.norm, 0};
}
InputShape input_of(const BenchRequest& request) {
  const auto side = static_cast<int>(request.size);
  return {side, side, static_cast<int>(request.channels)};
}

std::shared_ptr<Steps<TrainingStep>> usual_steps(const BenchRequest& request, distributed::Communicator& ranks,
                                                 int threads, const std::string& graph) {
  TrainParameters parameters = parameters_of(request);
  parameters.graph = graph;
  return std::make_shared<Steps<TrainingStep>>(
      request, make_step(parameters, architecture_of(request), input_of(request), Normaliser{}, ranks, threads,
                         {reproducible_of(parameters), false}));
}

std::shared_ptr<Steps<HostStep>> host_steps(const BenchRequest& request, distributed::Communicator& ranks,
                                            int threads) {
  return std::make_shared<Steps<HostStep>>(
      request, std::make_unique<HostStep>(parameters_of(request), architecture_of(request), input_of(request),
                                          Normaliser{}, ranks, threads, StepOptions{}));
}

double crop_seconds(const BenchRequest& request, bool all_changes) {
  constexpr int crops = 200;
  const auto samples = random_samples(request);
  const StepSamples data(samples, input_of(request), Normaliser{});
  auto names = all_changes ? names_of(augmentation_rules()) : TrainParameters{}.augment;
  if (request.channels != 3)
    std::erase_if(names, [](const std::string& name) { return !augmentation_of_colours({name}).empty(); });
  const CropRules rules{augmentation_of(names), 1, 0};
  Batch batch = make_batch(1, data.input());
  const auto make = [&] {
    for (int i = 0; i < crops; ++i)
      fill_batch(batch, data, std::vector{data.drawn(i % static_cast<int>(data.crops().size()), rules, i)});
  };
  make();  // memory is touched once
  return seconds_of(make) / crops;
}

PlainSteps::PlainSteps(const BenchRequest& request, int threads)
    : parameters_(parameters_of(request)),
      samples_(random_samples(request)),
      input_(input_of(request)),
      data_(samples_, input_, Normaliser{}),
      layout_(layout_of(*make_network(architecture_of(request)))),
      optimiser_(parameters_, static_cast<size_t>(layout_.parameter_count)),
      pool_(threads) {
  initialise(layout_, 0, weights_.parameters, weights_.statistics);
  sum_.resize(weights_.parameters.size());
  for (int worker = 0; worker < threads; ++worker) {
    workers_.push_back(std::make_unique<Worker>(
        Worker{make_network(architecture_of(request)), weights_.statistics, make_batch(request.micro_batch, input_)}));
    alias(*workers_.back()->network, layout_, weights_.parameters.data(), workers_.back()->statistics.data());
  }
}

void PlainSteps::operator()() {
  for (auto& worker : workers_) worker->network->zero_grad();
  pool_.run(static_cast<int>(parameters_.micro_shards()), [&](int index, int shard) {
    Worker& worker = *workers_[index];
    std::vector<BatchRow> rows;
    for (int64_t i = 0; i < parameters_.micro_batch; ++i)  // a tile is a whole sample
      rows.push_back(data_.tile(static_cast<size_t>(shard * parameters_.micro_batch + i)));
    fill_batch(worker.batch, data_, rows);
    worker.network->train();
    const auto logits = (*worker.network)(worker.batch.images);
    (torch::binary_cross_entropy_with_logits(logits, worker.batch.targets) *
     (1.0 / static_cast<double>(parameters_.micro_shards())))
        .backward();
  });
  std::fill(sum_.begin(), sum_.end(), 0.0f);
  for (auto& worker : workers_) {
    auto named = worker->network->named_parameters();
    for (const auto& slot : layout_.parameters) {
      const torch::Tensor gradient = named[slot.name].grad();
      if (!gradient.defined()) continue;
      const float* values = gradient.data_ptr<float>();
      for (int64_t i = 0; i < slot.count; ++i) sum_[slot.offset + i] += values[i];
    }
  }
  optimiser_.update(weights_.parameters, sum_.data(), optimiser_.norm_of(sum_.data(), pool_), {1e-4}, ++step_, pool_);
}

}  // namespace penstock::stages
