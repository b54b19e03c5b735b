#include "stages/compute/training_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "stages/draws.h"
#include "stages/training_layout.h"

namespace penstock::stages {
namespace {

// Weight of a step's statistics in the running ones, as PyTorch's default.
constexpr float statistics_momentum = 0.1f;

// Shares of pixels that are tp, fp, fn, tn when logits above 0 are foreground.
std::array<float, 4> shares_of(const torch::Tensor& logits, const torch::Tensor& masks, int64_t samples) {
  const float* z = logits.data_ptr<float>();
  const float* t = masks.data_ptr<float>();
  const int64_t pixels = logits.numel() / logits.size(0) * samples;
  std::array<int64_t, 4> counts = {};
  for (int64_t i = 0; i < pixels; ++i) ++counts[z[i] > 0 ? (t[i] > 0 ? 0 : 1) : (t[i] > 0 ? 2 : 3)];
  std::array<float, 4> shares;
  for (int i = 0; i < 4; ++i) shares[i] = static_cast<float>(static_cast<double>(counts[i]) / static_cast<double>(pixels));
  return shares;
}

}  // namespace

// A model of one worker: its weights are everybody's, its running statistics its own.
struct TrainingState::Replica {
  UNet model;
  std::vector<float> statistics;
  Batch batch;  // one micro-shard
  Batch share;  // the rank's whole share, with synchronised norms
  // Of the micro-shard, or the rank's whole share, that is being worked on.
  int item = 0;
  std::vector<size_t> missing;  // of each bucket: gradients that backward has not brought
};

namespace {

// Called by backward when one parameter's gradient is complete. Taking it away (instead of letting backward add to a buffer
// that must be zeroed) costs one pass over it.
class TakeGradient final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit TakeGradient(std::function<void(const torch::Tensor&)> take) : take_(std::move(take)) {}
  void operator()(const torch::Tensor& parameter) override {
    take_(parameter.grad().contiguous());
    parameter.mutable_grad().reset();
  }

 private:
  std::function<void(const torch::Tensor&)> take_;
};

void require_share(const TrainParameters& parameters, const distributed::Communicator& ranks) {
  if (ranks.size() <= parameters.micro_shards()) return;
  throw Error(ExitCode::config, "norm = \"sync\" needs every rank to have samples: " + std::to_string(ranks.size()) + " ranks share " +
                                    std::to_string(parameters.micro_shards()) + " micro-shards; a larger global_batch or smaller micro_batch gives each one");
}

}  // namespace

std::vector<distributed::Bucket> TrainingState::buckets() const {
  std::vector<size_t> slots;
  for (const auto& slot : layout_.parameters) slots.push_back(static_cast<size_t>(slot.count));
  return gradient_buckets(slots, layout_.statistic_count);
}

TrainingState::TrainingState(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid, Normaliser normaliser,
                             distributed::Communicator& ranks, int threads, const StepOptions& options)
    : optimiser(parameters, static_cast<size_t>(layout_of(UNet(architecture)).parameter_count)), parameters_(parameters), grid_(grid),
      normaliser_(std::move(normaliser)), ranks_(ranks), layout_(layout_of(UNet(architecture))), together_(architecture.norm == "sync"),
      items_(items_of(parameters, ranks.size())), pool_(threads) {
  for (const std::string& change : parameters.augment) (change == "flip" ? augmentation_.flip : augmentation_.rotate) = true;
  initialise(layout_, parameters.seed, weights.parameters, weights.statistics);
  if (together_) require_share(parameters, ranks);
  const distributed::ReducerOptions how{items_, together_ ? distributed::Reproducible::run : options.reproducible, options.overlap};
  reducer_ = std::make_unique<distributed::GradientReducer>(ranks, buckets(), how);
  slots_in_bucket_.resize(reducer_->buckets().size());
  for (const auto& slot : layout_.parameters) ++slots_in_bucket_[bucket_of(slot)];
  for (int worker = 0; worker < threads; ++worker) {
    replicas_.push_back(std::make_unique<Replica>(Replica{UNet(architecture), weights.statistics, make_batch(parameters.micro_batch, grid), {}, 0, {}}));
    watch(*replicas_.back());
  }
  if (!together_) return;
  // One network takes the rank's whole share, with all its threads, and meets the other ranks' in each norm.
  const auto [first, last] = shards_of_item(ranks.rank());
  replicas_.front()->share = make_batch((last - first) * parameters.micro_batch, grid);
  norm_ranks_ = ranks.duplicate("the norms' own ranks");
  replicas_.front()->model->sum_over_ranks([this](double* values, size_t count) { norm_ranks_->all_reduce(distributed::buffer_of(values, count), "a norm's sums"); });
}

// The micro-shards that are worked on at once: one, or with synchronised norms all of a rank's.
std::pair<int, int> TrainingState::shards_of_item(int item) const {
  const auto shards = static_cast<int>(parameters_.micro_shards());
  return together_ ? distributed::micro_shards_of(item, ranks_.size(), shards) : std::pair(item, item + 1);
}

size_t TrainingState::bucket_of(const FlatLayout::Slot& slot) const {
  size_t bucket = 0;
  while (reducer_->buckets()[bucket].begin > static_cast<size_t>(slot.offset)) ++bucket;
  return bucket;
}

// Makes the replica's parameters views of the common weights, and has each gradient copied to its place when it is there.
void TrainingState::watch(Replica& replica) {
  alias(replica.model, layout_, weights.parameters.data(), replica.statistics.data());
  auto named = replica.model->named_parameters();
  for (const auto& slot : layout_.parameters) {
    const size_t bucket = bucket_of(slot);
    torch::autograd::impl::set_post_acc_grad_hooks(named[slot.name], std::make_unique<TakeGradient>([this, &replica, &slot, bucket](const torch::Tensor& gradient) {
      std::memcpy(reducer_->input(replica.item) + slot.offset, gradient.data_ptr<float>(), static_cast<size_t>(slot.count) * sizeof(float));
      if (--replica.missing[bucket] == 0) reducer_->ready(replica.item, bucket);
    }));
  }
}

TrainingState::~TrainingState() = default;

// Means over samples, so that the mathematics is the same however samples are grouped. [N,1,H,W] -> [N].
torch::Tensor TrainingState::loss_of(const torch::Tensor& logits, const torch::Tensor& masks) const {
  const auto bce = torch::binary_cross_entropy_with_logits(logits, masks, {}, {}, at::Reduction::None).mean({1, 2, 3});
  if (parameters_.loss == "bce") return bce;
  const auto p = torch::sigmoid(logits);
  const auto dice = (2 * (p * masks).sum({1, 2, 3}) + 1) / (p.sum({1, 2, 3}) + masks.sum({1, 2, 3}) + 1);
  return bce + 1 - dice;
}

StepResult TrainingState::step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch, int64_t step, double lr, bool interrupted) {
  reducer_->begin("step " + std::to_string(updates + 1));
  const auto [first, last] = reducer_->mine();
  pool_.run(last - first, [&, first = first](int worker, int item) {
    const auto [first_shard, last_shard] = shards_of_item(first + item);
    std::vector<const GridSample*> chosen;
    std::vector<Orientation> orientations;
    for (int shard = first_shard; shard < last_shard; ++shard) {
      for (const int index : micro_shard(order, step, shard, parameters_.global_batch, parameters_.micro_batch)) {
        chosen.push_back(&samples[index]);
        orientations.push_back(draw_orientation(augmentation_, parameters_.seed, epoch, samples[index].id, grid_.height, grid_.width));
      }
    }
    run_item(*replicas_[together_ ? 0 : worker], chosen, orientations, epoch, step, first + item, interrupted && item == 0);
  });
  const float* sum = reducer_->finish();
  const float* statistics = sum + layout_.parameter_count;
  const float* figures = statistics + layout_.statistic_count;
  const auto items = static_cast<double>(items_);
  StepResult result{{figures[0], figures[1] / items, figures[2] / items, figures[3] / items, figures[4] / items},
                    optimiser.norm_of(sum, pool_), figures[5] > 0, ""};
  // Every rank has the same sum, so all find the same fault.
  if (!std::isfinite(result.figures.loss) || !std::isfinite(result.gradient_norm)) {
    result.fault = fault_in(sum);
    return result;
  }
  optimiser.update(weights.parameters, sum, result.gradient_norm, lr, ++updates, pool_);
  for (int64_t i = 0; i < layout_.statistic_count; ++i) {
    weights.statistics[i] += statistics_momentum * (statistics[i] - weights.statistics[i]);
  }
  return result;
}

std::string TrainingState::fault_in(const float* sum) const {
  for (const auto& slot : layout_.parameters) {
    const float* values = sum + slot.offset;
    if (std::any_of(values, values + slot.count, [](float value) { return !std::isfinite(value); })) return "the gradient of " + slot.name;
  }
  return "the loss";
}

void TrainingState::run_item(Replica& replica, const std::vector<const GridSample*>& samples, const std::vector<Orientation>& orientations,
                             int64_t epoch, int64_t step, int item, bool interrupted) {
  replica.item = item;
  replica.missing = slots_in_bucket_;
  Batch& batch = together_ ? replica.share : replica.batch;
  if (together_) at::set_num_threads(pool_.size());  // of this thread; the other workers have nothing to do
  fill_batch(batch, samples, orientations, normaliser_, grid_);
  replica.model->train();
  std::optional<at::Generator> dropout;
  if (parameters_.dropout > 0) {
    dropout = at::make_generator<at::CPUGeneratorImpl>(Draws(parameters_.seed, "dropout", {epoch, step, item}).bits(0));
  }
  const auto logits = replica.model(batch.images, dropout);
  const auto loss = loss_of(logits, batch.masks).sum() / static_cast<double>(parameters_.global_batch);

  // The tail is known before backward begins: it rides in the first bucket.
  const auto items = static_cast<float>(items_);
  float* statistics = reducer_->input(item) + layout_.parameter_count;
  for (size_t i = 0; i < replica.statistics.size(); ++i) statistics[i] = replica.statistics[i] / items;
  float* figures = statistics + layout_.statistic_count;
  figures[0] = loss.item<float>();
  const auto count = static_cast<int64_t>(samples.size());
  const auto shares = shares_of(logits.detach().contiguous(), batch.masks, count);
  // Ranks' shares of a batch may differ by a micro-shard; micro-shards do not.
  const float weight = together_ ? static_cast<float>(count) * items / static_cast<float>(parameters_.global_batch) : 1.0f;
  for (size_t i = 0; i < shares.size(); ++i) figures[1 + i] = shares[i] * weight;
  figures[5] = interrupted;
  loss.backward();
  if (together_) at::set_num_threads(1);
}

Figures TrainingState::validate(const std::vector<GridSample>& samples) {
  const int64_t micro = parameters_.micro_batch;
  const auto batches = static_cast<int>((static_cast<int64_t>(samples.size()) + micro - 1) / micro);
  // One row a micro-batch, each filled by one rank: adding zeros is exact, so the sum below is the same for any rank count.
  std::vector<double> rows(static_cast<size_t>(batches) * 5);
  const auto [first, last] = distributed::micro_shards_of(ranks_.rank(), ranks_.size(), batches);
  pool_.run(last - first, [&, first = first](int worker, int item) {
    const torch::NoGradGuard no_gradients;
    Replica& replica = *replicas_[worker];
    const int64_t begin = int64_t{first + item} * micro;
    const int64_t real = std::min(micro, static_cast<int64_t>(samples.size()) - begin);
    std::vector<const GridSample*> chosen;
    for (int64_t i = 0; i < micro; ++i) chosen.push_back(&samples[begin + std::min(i, real - 1)]);  // padded to the fixed shape
    fill_batch(replica.batch, chosen, {}, normaliser_, grid_);
    replica.statistics = weights.statistics;
    replica.model->eval();
    const auto logits = replica.model(replica.batch.images).contiguous();
    const auto losses = loss_of(logits, replica.batch.masks);
    double* row = &rows[static_cast<size_t>(first + item) * 5];
    for (int64_t i = 0; i < real; ++i) row[0] += losses.data_ptr<float>()[i];
    const auto shares = shares_of(logits, replica.batch.masks, real);
    for (int i = 0; i < 4; ++i) row[i + 1] = static_cast<double>(shares[i]) * static_cast<double>(real);
  });
  ranks_.all_reduce(distributed::buffer_of(rows.data(), rows.size()), "validation figures");
  Figures figures;
  const auto count = static_cast<double>(samples.size());
  for (int batch = 0; batch < batches; ++batch) {
    const double* row = &rows[static_cast<size_t>(batch) * 5];
    figures.loss += row[0] / count;
    figures.tp += row[1] / count, figures.fp += row[2] / count, figures.fn += row[3] / count, figures.tn += row[4] / count;
  }
  return figures;
}

}  // namespace penstock::stages
