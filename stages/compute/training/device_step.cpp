#include "stages/compute/training/device_step.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distributed/check.h"
#include "stages/draws.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Reproducible;

// Steps before the recorded one: libraries choose and set up what they use in the first.
constexpr int64_t warm_up_steps = 3;

template <typename T>
torch::Tensor bytes_for(size_t count, torch::Device place) {
  return torch::zeros({static_cast<int64_t>(count * sizeof(T))}, torch::dtype(torch::kUInt8).device(place));
}

torch::Tensor to_tensor(const std::vector<float>& values) {
  return torch::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())});
}

}  // namespace

DeviceStep::DeviceStep(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid,
                       Normaliser normaliser, distributed::Communicator& ranks, std::unique_ptr<StepDevice> device,
                       const StepOptions& options)
    : parameters_(parameters),
      grid_(grid),
      normaliser_(std::move(normaliser)),
      ranks_(ranks),
      device_(std::move(device)),
      options_(options),
      kind_(kind_of(parameters)),
      model_(architecture),
      layout_(layout_of(model_)),
      padded_(device_layout_of(layout_)),
      low_(parameters.precision == "bf16"),
      mine_(distributed::micro_shards_of(ranks.rank(), ranks.size(), static_cast<int>(parameters.micro_shards()))) {
  if (architecture.norm == "sync") {
    throw Error(ExitCode::config,
                "norm = \"sync\" is made for the CPU and float32; on a GPU, norm = \"group\", or \"batch\" with a "
                "larger micro_batch, is near it");
  }
  for (const std::string& change : parameters.augment)
    (change == "flip" ? augmentation_.flip : augmentation_.rotate) = true;
  std::vector<size_t> slots;
  for (size_t i = 0; i < layout_.parameters.size(); ++i) {
    const int64_t end = i + 1 < layout_.parameters.size() ? padded_.parameters[i + 1].offset : padded_.parameter_count;
    slots.push_back(static_cast<size_t>(end - padded_.parameters[i].offset));
  }
  static_assert(step_figures == figure_count);
  buckets_ = gradient_buckets(slots, layout_.statistic_count);
  for (const auto& slot : padded_.parameters) {
    size_t bucket = 0;
    while (buckets_[bucket].begin > static_cast<size_t>(slot.offset)) ++bucket;
    bucket_of_.push_back(bucket);
  }
  taken_.resize(buckets_.size());
  targets_.resize(buckets_.size());
  if (options_.reproducible == Reproducible::world) {
    tree_ = std::make_unique<distributed::GradientReducer>(
        ranks, buckets_,
        distributed::ReducerOptions{static_cast<int>(parameters.micro_shards()), Reproducible::world, false});
  }
  device_->run([this] {
    make_buffers();
    view_weights();
  });
  StepState start;
  initialise(layout_, parameters.seed, start.weights.parameters, start.weights.statistics);
  load_weights(start.weights);
}

DeviceStep::~DeviceStep() = default;

void DeviceStep::make_buffers() {
  const auto place = device_->place();
  const auto real = torch::dtype(torch::kFloat32).device(place);
  const int64_t count = padded_.parameter_count, micro = parameters_.micro_batch;
  weights_ = torch::zeros({count}, real);
  first_ = torch::zeros({count}, real);
  if (kind_ != OptimiserKind::sgd) second_ = torch::zeros({count}, real);
  if (low_) rounded_ = torch::zeros({count}, real.dtype(torch::kBFloat16));
  statistics_ = torch::zeros({layout_.statistic_count}, real);
  own_statistics_ = torch::zeros({layout_.statistic_count}, real);
  vector_ = torch::zeros({count + layout_.statistic_count + step_figures}, real);
  counts_ = torch::zeros({4}, real.dtype(torch::kInt32));
  partials_ = torch::zeros({norm_width}, real.dtype(torch::kFloat64));
  verdict_ = bytes_for<StepVerdict>(1, place);
  batch_images_ = torch::zeros({micro, grid_.height, grid_.width, grid_.channels},
                               real.dtype(low_ ? torch::kBFloat16 : torch::kFloat32))
                      .permute({0, 3, 1, 2});
  batch_masks_ = torch::zeros({micro, 1, grid_.height, grid_.width}, real);
  const auto samples = static_cast<size_t>(std::max<int64_t>(mine_.second - mine_.first, 1) * micro);
  const size_t told = sizeof(StepOrders) + samples * (sizeof(int32_t) + 1);
  orders_ = bytes_for<uint8_t>(told, place);
  told_ = static_cast<uint8_t*>(device_->exchange_memory(told));
  judged_ = static_cast<StepVerdict*>(device_->exchange_memory(sizeof(StepVerdict)));
}

// The network's parameters and running statistics become views of the flat buffers. Batch norms keep float32 weights:
// that is what the kernels for bfloat16 take, and the others do not.
void DeviceStep::view_weights() {
  const bool full_norms = parameters_.norm == "batch";
  auto named = model_->named_parameters();
  for (size_t i = 0; i < layout_.parameters.size(); ++i) {
    const auto& slot = layout_.parameters[i];
    const auto& [offset, count, strides] = padded_.parameters[i];
    const bool full = !low_ || (full_norms && slot.name.find("_norm") != std::string::npos);
    torch::Tensor parameter = named[slot.name];
    parameter.set_data((full ? weights_ : rounded_).as_strided(slot.shape, strides, offset));
    gradient_views_.push_back(vector_.as_strided(slot.shape, strides, offset));
    accumulators_.push_back(torch::autograd::impl::grad_accumulator(parameter));
    take_gradients(parameter, [this, i](const torch::Tensor& gradient) { take(i, gradient); });
  }
  auto buffers = model_->named_buffers();
  for (const auto& slot : layout_.statistics)
    buffers[slot.name].set_data(own_statistics_.narrow(0, slot.offset, slot.count).view(slot.shape));
}

// ---- the data set ----

const ResidentSamples& DeviceStep::resident(const std::vector<GridSample>& samples) {
  const auto found = resident_.find(&samples);
  if (found != resident_.end()) return found->second;
  return resident_.emplace(&samples, put_on_device(samples, grid_, normaliser_, *device_)).first->second;
}

void DeviceStep::write_orders(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                              int64_t step, double lr, bool interrupted) {
  StepOrders orders;
  orders.factors = factors_of(kind_, lr, parameters_.weight_decay, parameters_.momentum, updates_ + 1);
  orders.interrupted = interrupted ? 1.0f : 0.0f;
  std::memcpy(told_, &orders, sizeof orders);
  const int64_t micro = parameters_.micro_batch, count = int64_t{mine_.second - mine_.first} * micro;
  auto* chosen = reinterpret_cast<int32_t*>(told_ + sizeof orders);
  uint8_t* orientations = told_ + sizeof orders + std::max(count, micro) * static_cast<int64_t>(sizeof(int32_t));
  for (int shard = mine_.first; shard < mine_.second; ++shard) {
    for (const int index : micro_shard(order, step, shard, parameters_.global_batch, micro)) {
      *chosen++ = index;
      *orientations++ = to_byte(
          draw_orientation(augmentation_, parameters_.seed, epoch, samples[index].id, grid_.height, grid_.width));
    }
  }
  if (parameters_.dropout > 0)
    dropout_ = device_->generator(Draws(parameters_.seed, "dropout", {epoch, step, mine_.first}).bits(0));
}

// A batch of those samples that are listed from `first` on.
void DeviceStep::gather(const ResidentSamples& data, int64_t first) {
  const int64_t listed = std::max<int64_t>(mine_.second - mine_.first, 1) * parameters_.micro_batch;
  const uint8_t* told = orders_.data_ptr<uint8_t>() + sizeof(StepOrders);
  GatherWork work;
  work.images = data.images.data_ptr<uint8_t>();
  work.masks = data.masks.data_ptr<uint8_t>();
  work.tables = data.tables.data_ptr<float>();
  work.sample_stride = data.sample_stride;
  work.channel_stride = data.channel_stride;
  work.samples = reinterpret_cast<const int32_t*>(told) + first;
  work.orientations = told + listed * static_cast<int64_t>(sizeof(int32_t)) + first;
  work.count = static_cast<int>(parameters_.micro_batch);
  work.height = grid_.height, work.width = grid_.width, work.channels = grid_.channels;
  work.batch_images = batch_images_.data_ptr();
  work.batch_masks = batch_masks_.data_ptr<float>();
  work.bfloat16 = low_;
  device_->gather(work);
}

// ---- a step ----

// Forward and backward of one micro-shard; its gradient, statistics and figures are added to the vector.
void DeviceStep::shard(const ResidentSamples& data, int index) {
  const auto shards = static_cast<double>(parameters_.micro_shards());
  first_shard_ = index == 0;
  last_shard_ = index + 1 == mine_.second - mine_.first;
  gather(data, index * parameters_.micro_batch);
  own_statistics_.zero_();
  const auto logits = model_(batch_images_, dropout_).to(torch::kFloat32).contiguous();
  const auto loss =
      loss_of(parameters_.loss, logits, batch_masks_).sum() / static_cast<double>(parameters_.global_batch);
  // The tail is known before backward begins: it rides in the first bucket.
  auto rest = tail();
  rest.narrow(0, 0, layout_.statistic_count).add_(own_statistics_, 1 / shards);
  rest.narrow(0, layout_.statistic_count, 1).add_(loss.detach());
  auto* counts = reinterpret_cast<uint32_t*>(counts_.data_ptr<int32_t>());
  const auto drawn = logits.detach();
  device_->tally({drawn.data_ptr<float>(), batch_masks_.data_ptr<float>(), drawn.numel(), counts});
  if (last_shard_ || tree_) {
    const double pixels = static_cast<double>(parameters_.global_batch) * grid_.height * grid_.width;
    device_->figures({counts, pixels, reinterpret_cast<const StepOrders*>(orders_.data_ptr<uint8_t>()),
                      rest.data_ptr<float>() + layout_.statistic_count});
  }
  missing_.assign(buckets_.size(), 0);
  for (const size_t bucket : bucket_of_) ++missing_[bucket];
  next_bucket_ = 0;
  loss.backward();
}

void DeviceStep::take(size_t slot, const torch::Tensor& gradient) {
  const size_t bucket = bucket_of_[slot];
  taken_[bucket].push_back(gradient);
  targets_[bucket].push_back(gradient_views_[slot]);
  if (--missing_[bucket] > 0) return;
  // In one order on all ranks, whatever order backward finds.
  while (next_bucket_ < buckets_.size() && missing_[next_bucket_] == 0) flush(next_bucket_++);
}

// All gradients of a bucket into the vector at once.
void DeviceStep::flush(size_t bucket) {
  if (first_shard_ || tree_)
    at::_foreach_copy_(targets_[bucket], taken_[bucket]);
  else
    at::_foreach_add_(targets_[bucket], taken_[bucket]);
  taken_[bucket].clear();
  targets_[bucket].clear();
  if (!last_shard_ || tree_ || !options_.overlap || ranks_.size() == 1) return;
  const auto& [begin, end] = buckets_[bucket];
  device_->all_reduce(vector_at(static_cast<int64_t>(begin)), end - begin,
                      "bucket " + std::to_string(bucket) + " of " + what_);
}

void DeviceStep::update() {
  const float* figures = vector_at(padded_.parameter_count + layout_.statistic_count);
  auto* verdict = reinterpret_cast<StepVerdict*>(verdict_.data_ptr<uint8_t>());
  const auto* orders = reinterpret_cast<const StepOrders*>(orders_.data_ptr<uint8_t>());
  const auto count = static_cast<size_t>(padded_.parameter_count);
  device_->judge({vector_at(0), count, figures, parameters_.clip_norm, partials_.data_ptr<double>(), verdict});
  UpdateWork work;
  work.gradient = vector_at(0);
  work.weights = weights_.data_ptr<float>();
  work.first = first_.data_ptr<float>();
  work.second = second_.defined() ? second_.data_ptr<float>() : nullptr;
  work.rounded = low_ ? reinterpret_cast<uint16_t*>(rounded_.data_ptr()) : nullptr;
  work.count = count;
  work.orders = orders;
  work.verdict = verdict;
  work.step_statistics = vector_at(padded_.parameter_count);
  work.statistics = statistics_.data_ptr<float>();
  work.statistic_count = static_cast<size_t>(layout_.statistic_count);
  work.statistics_momentum = statistics_momentum;
  device_->update(work);
  device_->copy_out(judged_, verdict, sizeof(StepVerdict));
}

// Zero, forward, loss, backward, all-reduce, clip, update: nothing here waits, so that it can be recorded.
void DeviceStep::whole_step(const ResidentSamples& data) {
  const int shards = mine_.second - mine_.first;
  device_->copy_in(orders_.data_ptr(), told_, static_cast<size_t>(orders_.numel()));
  counts_.zero_();
  if (shards == 0)
    vector_.zero_();
  else
    tail().zero_();
  for (int index = 0; index < shards; ++index) shard(data, index);
  if (shards == 0) {
    // Its wish to stop counts all the same.
    const auto* orders = reinterpret_cast<const StepOrders*>(orders_.data_ptr<uint8_t>());
    device_->figures({reinterpret_cast<const uint32_t*>(counts_.data_ptr<int32_t>()), 1, orders,
                      vector_at(padded_.parameter_count + layout_.statistic_count)});
  }
  if (ranks_.size() > 1 && (!options_.overlap || shards == 0)) {
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      device_->all_reduce(vector_at(static_cast<int64_t>(buckets_[bucket].begin)),
                          buckets_[bucket].end - buckets_[bucket].begin,
                          "bucket " + std::to_string(bucket) + " of " + what_);
    }
  }
  device_->join();
  update();
}

// The same bits for any rank count: each micro-shard's vector goes to the host by itself, and all meet along one tree.
void DeviceStep::step_along_the_tree(const ResidentSamples& data) {
  tree_->begin(what_);
  const auto bytes = static_cast<size_t>(vector_.numel()) * sizeof(float);
  for (int index = 0; index < mine_.second - mine_.first; ++index) {
    const int shard_number = mine_.first + index;
    device_->run([&] {
      device_->copy_in(orders_.data_ptr(), told_, static_cast<size_t>(orders_.numel()));
      counts_.zero_();
      tail().zero_();
      shard(data, index);
    });
    device_->wait(what_);
    const auto values = fetch(vector_);
    std::memcpy(tree_->input(shard_number), values.data(), bytes);
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) tree_->ready(shard_number, bucket);
  }
  const float* sum = tree_->finish();
  device_->run([&] {
    device_->copy_in(orders_.data_ptr(), told_, static_cast<size_t>(orders_.numel()));
    vector_.copy_(torch::from_blob(const_cast<float*>(sum), {vector_.numel()}));
    update();
  });
}

// The first steps as they are, then one recorded.
void DeviceStep::enqueue(const std::vector<GridSample>& samples) {
  const ResidentSamples& data = resident(samples);
  model_->train();
  if (tree_) return step_along_the_tree(data);
  if (options_.graph && !tried_ && eager_steps_ >= warm_up_steps) {
    tried_ = true;
    recorded_ = device_->record([&] { whole_step(data); });
    recorded_samples_ = &samples;
  }
  PENSTOCK_CHECK(!recorded_ || recorded_samples_ == &samples, "a recorded step reads the samples it was recorded with");
  device_->run([&] {
    if (recorded_)
      device_->replay();
    else
      whole_step(data);
  });
  ++eager_steps_;
}

StepResult DeviceStep::step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                            int64_t step, double lr, bool interrupted) {
  what_ = "step " + std::to_string(updates_ + 1);
  write_orders(samples, order, epoch, step, lr, interrupted);
  try {
    enqueue(samples);
  } catch (const c10::OutOfMemoryError&) {
    const auto [peak, limit] = device_->memory();
    const auto gib = [](size_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
    throw DeviceMemoryError(
        fmt::format("the memory of {} is not enough for micro_batch = {}: it held {:.1f} GiB at most, of {:.1f}",
                    device_->name(), parameters_.micro_batch, gib(peak), gib(limit)));
  }
  device_->wait(what_);
  const float* f = judged_->figures;
  StepResult result{{f[0], f[1], f[2], f[3], f[4]}, judged_->norm, f[5] > 0, ""};
  if (judged_->good != 0)
    ++updates_;
  else
    result.fault = fault();
  return result;
}

// Every rank has the same sum, so all find the same.
std::string DeviceStep::fault() const {
  const auto values = fetch(vector_);
  for (size_t i = 0; i < layout_.parameters.size(); ++i) {
    const auto begin = values.begin() + padded_.parameters[i].offset;
    if (std::any_of(begin, begin + padded_.parameters[i].count, [](float value) { return !std::isfinite(value); }))
      return "the gradient of " + layout_.parameters[i].name;
  }
  return "the loss";
}

Figures DeviceStep::validate(const std::vector<GridSample>& samples) {
  const ResidentSamples& data = resident(samples);
  const int64_t micro = parameters_.micro_batch, listed = std::max<int64_t>(mine_.second - mine_.first, 1) * micro;
  const auto run = [this](int items, const std::function<void(int, int)>& body) {
    device_->run([&] {
      const torch::NoGradGuard no_gradients;
      model_->eval();
      own_statistics_.copy_(statistics_);
      for (int item = 0; item < items; ++item) body(0, item);
    });
  };
  return validation_figures(
      ranks_, static_cast<int64_t>(samples.size()), micro, run, [&](int, int64_t first, int64_t real, double* row) {
        auto* chosen = reinterpret_cast<int32_t*>(told_ + sizeof(StepOrders));
        for (int64_t i = 0; i < micro; ++i)
          chosen[i] = static_cast<int32_t>(first + std::min(i, real - 1));  // padded to the fixed shape
        std::memset(told_ + sizeof(StepOrders) + listed * static_cast<int64_t>(sizeof(int32_t)), 0,
                    static_cast<size_t>(micro));
        device_->copy_in(orders_.data_ptr(), told_, static_cast<size_t>(orders_.numel()));
        gather(data, 0);
        counts_.zero_();
        const auto logits = model_(batch_images_).to(torch::kFloat32).contiguous();
        const auto losses =
            loss_of(parameters_.loss, logits, batch_masks_).narrow(0, 0, real).to(torch::kFloat64).sum();
        const int64_t pixels = int64_t{grid_.height} * grid_.width;
        device_->tally({logits.data_ptr<float>(), batch_masks_.data_ptr<float>(), real * pixels,
                        reinterpret_cast<uint32_t*>(counts_.data_ptr<int32_t>())});
        row[0] = losses.item<double>();  // waits
        const auto counts = counts_.to(torch::kCPU);
        for (int i = 0; i < 4; ++i)
          row[i + 1] = static_cast<double>(counts.data_ptr<int32_t>()[i]) / static_cast<double>(pixels);
      });
}

// ---- what a checkpoint carries ----

std::vector<float> DeviceStep::fetch(const torch::Tensor& values) const {
  if (!values.defined()) return {};
  std::vector<float> fetched(static_cast<size_t>(values.numel()));
  device_->run([&] { to_tensor(fetched).copy_(values); });
  device_->wait("fetching from the device");
  return fetched;
}

Weights DeviceStep::current_weights() const { return {padded_.to_host(layout_, fetch(weights_)), fetch(statistics_)}; }

StepState DeviceStep::state() const {
  StepState state{current_weights(), padded_.to_host(layout_, fetch(first_)), {}, updates_};
  if (second_.defined()) state.second = padded_.to_host(layout_, fetch(second_));
  return state;
}

void DeviceStep::load_weights(const Weights& given) {
  const auto padded = padded_.to_device(layout_, given.parameters);
  device_->run([&] {
    weights_.copy_(to_tensor(padded));
    statistics_.copy_(to_tensor(given.statistics));
    if (low_) rounded_.copy_(weights_);
  });
  device_->wait("weights on their way to the device");
}

void DeviceStep::load(const StepState& state) {
  load_weights(state.weights);
  const auto first = padded_.to_device(layout_, state.first);
  const auto second = second_.defined() ? padded_.to_device(layout_, state.second) : std::vector<float>();
  device_->run([&] {
    first_.copy_(to_tensor(first));
    if (second_.defined()) second_.copy_(to_tensor(second));
  });
  device_->wait("moments on their way to the device");
  updates_ = state.updates;
}

}  // namespace penstock::stages
