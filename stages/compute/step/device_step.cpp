#include "stages/compute/step/device_step.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"
#include "stages/compute/step/batches.h"
#include "stages/draws.h"
#include "stages/training/name_table.h"
#include "stages/training/norms.h"
#include "stages/training/optimisers.h"
#include "stages/training/precisions.h"

namespace penstock::stages {
namespace {

using distributed::Reproducible;

// Steps before the recorded one: libraries choose and set up what they use in the first.
constexpr int64_t warm_up_steps = 3;

void refuse_norm_over_ranks(const Architecture& architecture) {
  if (!norm_rule(architecture.norm).over_ranks) return;
  throw Error(ExitCode::config,
              fmt::format("norm = \"{}\" works on the CPU only; on a GPU, norm = \"group\", or \"batch\" with a larger "
                          "micro_batch, comes near it",
                          architecture.norm));
}

void refuse_own_targets(const TrainParameters& parameters) {
  for (const std::string& name : parameters.targets) {
    if (row_of(target_rules(), "target", name).kind != TargetKind::own) continue;
    throw Error(
        ExitCode::config,
        fmt::format("the target \"{}\" is this program's own, and works on the CPU only: set device = \"cpu\"", name));
  }
}

const Architecture& for_a_device(const Architecture& architecture, const TrainParameters& parameters) {
  refuse_norm_over_ranks(architecture);
  refuse_own_targets(parameters);
  return architecture;
}

}  // namespace

DeviceStep::DeviceStep(const TrainParameters& parameters, const Architecture& architecture, const InputShape& input,
                       const Normaliser& normaliser, distributed::Communicator& ranks,
                       std::unique_ptr<StepDevice> device, const StepOptions& options)
    : parameters_(parameters),
      input_(input),
      ranks_(ranks),
      device_(std::move(device)),
      options_(options),
      loss_(loss_of(parameters)),
      network_(make_network(for_a_device(architecture, parameters))),
      layout_(layout_of(*network_)),
      mine_(distributed::micro_shards_of(ranks.rank(), ranks.size(), static_cast<int>(parameters.micro_shards()))),
      state_(layout_, *device_, optimiser_rule(parameters.optimizer).moments, works_in_bfloat16(parameters.precision),
             parameters.ema > 0),
      known_(input, normaliser),
      batch_(input, targets_of(parameters), *device_, parameters.micro_batch,
             std::max<int64_t>(shards(), 1) * parameters.micro_batch, crop_rules_of(parameters).augmentation),
      gradients_(layout_, state_.padded()) {
  if (options_.reproducible == Reproducible::world) {
    tree_ = std::make_unique<distributed::GradientReducer>(
        ranks, gradients_.buckets(),
        distributed::ReducerOptions{static_cast<int>(parameters.micro_shards()), Reproducible::world, false});
  }
  device_->run([this] {
    state_.make(*network_);
    batch_.make(works_in_bfloat16(parameters_.precision));
    const auto place = device_->place();
    counts_ = torch::zeros({4}, torch::dtype(torch::kInt32).device(place));
    partials_ = torch::zeros({norm_width}, torch::dtype(torch::kFloat64).device(place));
    verdict_ = torch::zeros({static_cast<int64_t>(sizeof(StepVerdict))}, torch::dtype(torch::kUInt8).device(place));
    host_verdict_ = static_cast<StepVerdict*>(device_->exchange_memory(sizeof(StepVerdict)));
    auto named = network_->named_parameters();
    for (size_t i = 0; i < layout_.parameters.size(); ++i) {
      take_gradients(named[layout_.parameters[i].name],
                     [this, i](const torch::Tensor& gradient) { gradients_.take(i, gradient); });
    }
  });
  StepState start;
  initialise(layout_, parameters.seed, start.weights.parameters, start.weights.statistics);
  load_weights(start.weights);
}

DeviceStep::~DeviceStep() = default;

double DeviceStep::pixels_of(int64_t samples) const {
  return static_cast<double>(samples) * input_.height * input_.width;
}

void DeviceStep::write_orders(const StepSamples& data, const std::vector<int>& order, int64_t epoch, int64_t step,
                              double lr, bool interrupted) {
  StepOrders orders;
  const PartRate part = encoder_rate(parameters_, layout_, epoch);
  const auto factors = [&](double rate) {
    return factors_of(optimiser_rule(parameters_.optimizer).kind, rate, parameters_.weight_decay, parameters_.momentum,
                      updates_ + 1);
  };
  orders.factors = factors(lr), orders.part_factors = factors(lr * part.share);
  orders.part = part.parameters == 0 ? 0 : state_.padded().parameters[part.parameters].offset;
  orders.interrupted = interrupted ? 1.0f : 0.0f;
  orders.average_share = average_share(parameters_.ema, updates_ + 1);
  batch_.set_orders(orders);
  const CropRules rules = crop_rules_of(parameters_);
  int64_t place = 0;
  for (int shard = mine_.first; shard < mine_.second; ++shard) {
    for (const int index : micro_shard(order, step, shard, parameters_.global_batch, parameters_.micro_batch))
      batch_.list(place++, data.drawn(index, rules, epoch), data);
  }
  if (parameters_.dropout > 0)
    dropout_ = device_->generator(Draws(parameters_.seed, "dropout", {epoch, step, mine_.first}).bits(0));
}

// Forward and backward of one micro-shard; its gradient, statistics and figures are added to the vector.
void DeviceStep::run_shard(const ResidentSamples& data, int index) {
  const bool first = index == 0, last = index + 1 == shards();
  batch_.gather(data, index * parameters_.micro_batch);
  state_.shard_statistics().zero_();
  const auto logits = (*network_)(batch_.images(), dropout_).to(torch::kFloat32).contiguous();
  const auto loss = loss_(logits, batch_.targets()).sum() / static_cast<double>(parameters_.global_batch);
  // The tail is known before backward begins: it rides in the first bucket.
  auto tail = state_.tail();
  tail.narrow(0, 0, layout_.statistic_count)
      .add_(state_.shard_statistics(), 1 / static_cast<double>(parameters_.micro_shards()));
  tail.narrow(0, layout_.statistic_count, 1).add_(loss.detach());
  tally(logits.detach(), index * parameters_.micro_batch, parameters_.micro_batch);
  if (last || tree_) share_figures(pixels_of(parameters_.global_batch));
  gradients_.begin(state_.gradient_views(), !first && !tree_, [this, last](size_t bucket) {
    if (last && overlaps()) reduce(bucket);
  });
  loss.backward();
}

// Of `count` rows from the batch's first on, which is listed at `first`.
void DeviceStep::tally(const torch::Tensor& logits, int64_t first, int64_t count) {
  const auto& targets = batch_.targets();
  device_->tally({logits.data_ptr<float>(), targets.data_ptr<float>(), static_cast<int>(logits.size(1)),
                  static_cast<int>(targets.size(1)), batch_.rows(first), static_cast<int>(count), input_.height,
                  input_.width, reinterpret_cast<uint32_t*>(counts_.data_ptr<int32_t>())});
}

void DeviceStep::share_figures(double pixels) {
  device_->figures(
      {reinterpret_cast<const uint32_t*>(counts_.data_ptr<int32_t>()), pixels, batch_.orders(), state_.figures()});
}

void DeviceStep::reduce(size_t bucket) {
  const auto& [begin, end] = gradients_.buckets()[bucket];
  device_->all_reduce(state_.vector_at(static_cast<int64_t>(begin)), end - begin,
                      "bucket " + std::to_string(bucket) + " of " + what_);
}

void DeviceStep::update() {
  auto* verdict = reinterpret_cast<StepVerdict*>(verdict_.data_ptr<uint8_t>());
  const auto count = static_cast<size_t>(state_.padded().parameter_count);
  device_->judge(
      {state_.vector_at(0), count, state_.figures(), parameters_.clip_norm, partials_.data_ptr<double>(), verdict});
  UpdateWork work = state_.update_work();
  work.orders = batch_.orders();
  work.verdict = verdict;
  device_->update(work);
  device_->copy_out(host_verdict_, verdict, sizeof(StepVerdict));
}

// Zero, forward, loss, backward, all-reduce, clip, update: nothing here waits, so that it can be recorded.
void DeviceStep::whole_step(const ResidentSamples& data) {
  batch_.copy_orders();
  counts_.zero_();
  if (shards() == 0)
    state_.vector().zero_();
  else
    state_.tail().zero_();
  for (int index = 0; index < shards(); ++index) run_shard(data, index);
  if (shards() == 0) share_figures(1);  // its request to stop counts all the same
  if (ranks_.size() > 1 && (!overlaps() || shards() == 0)) {
    for (size_t bucket = 0; bucket < gradients_.buckets().size(); ++bucket) reduce(bucket);
  }
  device_->join();
  update();
}

// The same bits for any rank count: each micro-shard's vector goes to the host by itself, and all meet along one tree.
void DeviceStep::step_along_the_tree(const ResidentSamples& data) {
  tree_->begin(what_);
  for (int index = 0; index < shards(); ++index) {
    const int shard_number = mine_.first + index;
    device_->run([&] {
      batch_.copy_orders();
      counts_.zero_();
      state_.tail().zero_();
      run_shard(data, index);
    });
    device_->wait(what_);
    const auto values = state_.fetch_vector();
    PENSTOCK_CHECK(values.size() == tree_->length(), "the reducer's buckets cover the step's vector");
    std::memcpy(tree_->input(shard_number), values.data(), values.size() * sizeof(float));
    for (size_t bucket = 0; bucket < gradients_.buckets().size(); ++bucket) tree_->ready(shard_number, bucket);
  }
  const float* sum = tree_->finish();
  device_->run([&] {
    batch_.copy_orders();
    state_.vector().copy_(torch::from_blob(const_cast<float*>(sum), {state_.vector().numel()}));
    update();
  });
}

// The first steps as they are, then one recorded.
void DeviceStep::enqueue(const StepSamples& samples) {
  const ResidentSamples& data = batch_.resident(samples);
  network_->train();
  if (tree_) return step_along_the_tree(data);
  if (options_.graph && !recording_.tried && recording_.steps_before >= warm_up_steps) {
    recording_.tried = true;
    recording_.made = device_->record([&] { whole_step(data); });
    recording_.samples = &samples;
  }
  PENSTOCK_CHECK(!recording_.made || recording_.samples == &samples,
                 "a recorded step reads the samples that it was recorded with");
  device_->run([&] {
    if (recording_.made)
      device_->replay();
    else
      whole_step(data);
  });
  ++recording_.steps_before;
}

StepResult DeviceStep::step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                            int64_t step, double lr, bool interrupted) {
  const StepSamples& data = known_.of(samples);
  check_step(data, order, step);
  what_ = "step " + std::to_string(updates_ + 1);
  write_orders(data, order, epoch, step, lr, interrupted);
  try {
    enqueue(data);
  } catch (const c10::OutOfMemoryError&) {
    const auto [peak, limit] = device_->memory();
    const auto gib = [](size_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
    throw DeviceMemoryError(
        fmt::format("the memory of {} is not enough for micro_batch = {}: it held {:.1f} GiB at most, of {:.1f}",
                    device_->name(), parameters_.micro_batch, gib(peak), gib(limit)));
  }
  device_->wait(what_);
  const StepFigures& f = host_verdict_->figures;
  StepResult result{{f.loss, f.tp, f.fp, f.fn, f.tn}, host_verdict_->norm, f.interrupted > 0, ""};
  if (host_verdict_->good != 0) {
    ++updates_;
  } else {
    // Every rank has the same sum, so all find the same fault.
    const auto values = state_.fetch_vector();
    result.fault = fault_of(layout_, [&](size_t i) { return &values[state_.padded().parameters[i].offset]; });
  }
  return result;
}

Figures DeviceStep::validate(const std::vector<GridSample>& samples) {
  const StepSamples& data = known_.of(samples);
  batch_.resident(data);  // before the pass, in which nothing waits
  const auto run = [this](int items, const std::function<void(int, int)>& body) {
    device_->run([&] {
      const torch::NoGradGuard no_gradients;
      network_->eval();
      state_.show_measured();
      for (int item = 0; item < items; ++item) body(0, item);
      state_.show_own();
    });
  };
  return validation_figures(
      ranks_, data, parameters_.micro_batch, run,
      [&](int, int64_t first, int64_t real, Figures& sums) { sums = validate_batch(data, first, real); });
}

// The sums over tiles [first, first + real). Waits, so that the orders may be written again.
Figures DeviceStep::validate_batch(const StepSamples& data, int64_t first, int64_t real) {
  for (int64_t i = 0; i < parameters_.micro_batch; ++i)
    batch_.list(i, data.tile(static_cast<size_t>(first + std::min(i, real - 1))),
                data);  // padded to the fixed shape
  batch_.copy_orders();
  batch_.gather(batch_.resident(data), 0);
  counts_.zero_();
  const auto logits = (*network_)(batch_.images()).to(torch::kFloat32).contiguous();
  const auto losses = loss_(logits, batch_.targets()).narrow(0, 0, real).to(torch::kFloat64).sum();
  tally(logits, 0, real);
  Figures sums;
  sums.loss = losses.item<double>();  // waits
  const auto counts = counts_.to(torch::kCPU);
  const auto pieces_with = [&](int kind) { return counts.data_ptr<int32_t>()[kind] / pixels_of(1); };
  sums.tp = pieces_with(0), sums.fp = pieces_with(1), sums.fn = pieces_with(2), sums.tn = pieces_with(3);
  return sums;
}

void DeviceStep::load(const StepState& state) {
  state_.load(state);
  updates_ = state.updates;
}

}  // namespace penstock::stages
