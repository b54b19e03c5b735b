#include "stages/compute/step/training_step.h"

#include <fmt/format.h>
#include <malloc.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>

#include "distributed/check.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

class TakeGradient final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit TakeGradient(std::function<void(const torch::Tensor&)> take) : take_(std::move(take)) {}
  void operator()(const torch::Tensor& parameter) override {
    take_(parameter.grad());
    parameter.mutable_grad().reset();
  }

 private:
  std::function<void(const torch::Tensor&)> take_;
};

}  // namespace

// glibc would give every activation back to the system and fault it in again at the next step. Its limits: 32 MiB for
// the first, and arenas other than the first return whole heaps whatever the third is.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, -1);
}

void check_state(const FlatLayout& layout, const Weights& weights) {
  PENSTOCK_CHECK(
      static_cast<int64_t>(weights.parameters.size()) == layout.parameter_count &&
          static_cast<int64_t>(weights.statistics.size()) == layout.statistic_count,
      fmt::format("weights are of the network: {} parameters and {} statistics, not {} and {}", layout.parameter_count,
                  layout.statistic_count, weights.parameters.size(), weights.statistics.size()));
}

void check_state(const FlatLayout& layout, const StepState& state, int moments, bool averages) {
  check_state(layout, state.weights);
  PENSTOCK_CHECK(averages != state.averaged.parameters.empty(),
                 averages ? "a state holds the averaged weights, which train.ema keeps"
                          : "a state holds averaged weights only where train.ema keeps them");
  if (averages) check_state(layout, state.averaged);
  const auto count = static_cast<size_t>(layout.parameter_count);
  PENSTOCK_CHECK(state.first.size() == count && state.second.size() == (moments > 1 ? count : 0),
                 fmt::format("moments are of the optimiser: {} arrays of {}, not of {} and {}", moments, count,
                             state.first.size(), state.second.size()));
}

void check_step(const StepSamples& data, const std::vector<int>& order, int64_t step) {
  PENSTOCK_CHECK(!order.empty() && order.size() <= data.crops().size() && step >= 0,
                 fmt::format("a step takes its samples from the epoch's order: {} places, {} crops, step {}",
                             order.size(), data.crops().size(), step));
}

CropRules crop_rules_of(const TrainParameters& parameters) {
  return {augmentation_of(parameters.augment, parameters.strengths), parameters.seed, parameters.foreground};
}

PartRate encoder_rate(const TrainParameters& parameters, const FlatLayout& layout, int64_t epoch) {
  const bool frozen =
      parameters.freeze == "encoder" && (parameters.freeze_epochs == 0 || epoch < parameters.freeze_epochs);
  const double share = frozen ? 0 : parameters.encoder_lr;
  return share == 1 ? PartRate{} : PartRate{encoder_parameters(layout), share};
}

TargetList targets_of(const TrainParameters& parameters) {
  const TargetList targets = target_list(
      parameters.targets, {parameters.border_radius, parameters.interior_radius, parameters.distance_limit});
  return parameters.separation_weight > 0 ? with_nearness(targets, parameters.separation_sigma) : targets;
}

Loss loss_of(const TrainParameters& parameters) {
  std::vector<Loss::OfChannel> channels;
  for (const std::string& target : parameters.targets) {
    const std::string &own = parameters.target_losses.at(target),
                      &usual = row_of(target_rules(), "target", target).loss;
    const std::string& automatic = usual.empty() ? parameters.loss : usual;
    channels.push_back({loss_function(own == "auto" ? automatic : own), parameters.loss_weights.at(target)});
  }
  return Loss(std::move(channels), parameters.separation_weight);
}

std::string fault_of(const FlatLayout& layout, const std::function<const float*(size_t)>& gradient_of) {
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    const float* values = gradient_of(i);
    if (std::any_of(values, values + layout.parameters[i].count, [](float value) { return !std::isfinite(value); }))
      return "the gradient of " + layout.parameters[i].name;
  }
  return "the loss";
}

Figures validation_figures(distributed::Communicator& ranks, const StepSamples& data, int64_t micro_batch,
                           const std::function<void(int, const std::function<void(int, int)>&)>& run,
                           const std::function<void(int, int64_t, int64_t, Figures&)>& batch) {
  const auto count = static_cast<int64_t>(data.tile_count());
  const auto batches = static_cast<int>((count + micro_batch - 1) / micro_batch);
  // One row a micro-batch, each filled by one rank: adding zeros is exact, so the sum below is the same for any rank
  // count.
  std::vector<Figures> rows(static_cast<size_t>(batches));
  const auto [first, last] = distributed::micro_shards_of(ranks.rank(), ranks.size(), batches);
  run(last - first, [&, first = first](int worker, int item) {
    const int64_t begin = int64_t{first + item} * micro_batch;
    batch(worker, begin, std::min(micro_batch, count - begin), rows[static_cast<size_t>(first + item)]);
  });
  static_assert(sizeof(Figures) == 5 * sizeof(double), "rows are summed as plain doubles");
  ranks.all_reduce(distributed::buffer_of(reinterpret_cast<double*>(rows.data()), rows.size() * 5),
                   "validation figures");
  Figures figures;
  // Tiles differ in how many of their pixels count.
  const double tiles = static_cast<double>(count),
               inputs = static_cast<double>(data.tile_pixels()) /
                        (static_cast<double>(data.input().height) * static_cast<double>(data.input().width));
  for (const Figures& row : rows)
    figures += {row.loss / tiles, row.tp / inputs, row.fp / inputs, row.fn / inputs, row.tn / inputs};
  return figures;
}

void take_gradients(torch::Tensor parameter, std::function<void(const torch::Tensor&)> take) {
  torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<TakeGradient>(std::move(take)));
}

}  // namespace penstock::stages
