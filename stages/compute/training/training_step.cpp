#include "stages/compute/training/training_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "distributed/check.h"
#include "stages/draws.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

// Shares of pixels that are tp, fp, fn, tn when logits above 0 are foreground.
std::array<float, 4> shares_of(const torch::Tensor& logits, const torch::Tensor& masks, int64_t samples) {
  const float* z = logits.data_ptr<float>();
  const float* t = masks.data_ptr<float>();
  const int64_t pixels = logits.numel() / logits.size(0) * samples;
  std::array<int64_t, 4> counts = {};
  for (int64_t i = 0; i < pixels; ++i) ++counts[z[i] > 0 ? (t[i] > 0 ? 0 : 1) : (t[i] > 0 ? 2 : 3)];
  std::array<float, 4> shares;
  for (int i = 0; i < 4; ++i)
    shares[i] = static_cast<float>(static_cast<double>(counts[i]) / static_cast<double>(pixels));
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

void require_share(const TrainParameters& parameters, const distributed::Communicator& ranks) {
  if (ranks.size() <= parameters.micro_shards()) return;
  throw Error(ExitCode::config, "norm = \"sync\" needs every rank to have samples: " + std::to_string(ranks.size()) +
                                    " ranks share " + std::to_string(parameters.micro_shards()) +
                                    " micro-shards; a larger global_batch or smaller micro_batch gives each one");
}

}  // namespace

std::vector<distributed::Bucket> TrainingState::buckets() const {
  std::vector<size_t> slots;
  for (const auto& slot : layout_.parameters) slots.push_back(static_cast<size_t>(slot.count));
  return gradient_buckets(slots, layout_.statistic_count);
}

TrainingState::TrainingState(const TrainParameters& parameters, const Architecture& architecture,
                             const ShardIndex& grid, Normaliser normaliser, distributed::Communicator& ranks,
                             int threads, const StepOptions& options)
    : optimiser(parameters, static_cast<size_t>(layout_of(UNet(architecture)).parameter_count)),
      parameters_(parameters),
      grid_(grid),
      normaliser_(std::move(normaliser)),
      ranks_(ranks),
      layout_(layout_of(UNet(architecture))),
      together_(architecture.norm == "sync"),
      reproducible_(together_ ? distributed::Reproducible::run : options.reproducible),
      items_(items_of(parameters, ranks.size())),
      pool_(threads) {
  for (const std::string& change : parameters.augment)
    (change == "flip" ? augmentation_.flip : augmentation_.rotate) = true;
  initialise(layout_, parameters.seed, weights.parameters, weights.statistics);
  if (together_) require_share(parameters, ranks);
  const distributed::ReducerOptions how{items_, reproducible_, options.overlap};
  reducer_ = std::make_unique<distributed::GradientReducer>(ranks, buckets(), how);
  slots_in_bucket_.resize(reducer_->buckets().size());
  for (const auto& slot : layout_.parameters) ++slots_in_bucket_[bucket_of(slot)];
  for (int worker = 0; worker < threads; ++worker) {
    replicas_.push_back(std::make_unique<Replica>(
        Replica{UNet(architecture), weights.statistics, make_batch(parameters.micro_batch, grid), {}, 0, {}}));
    watch(*replicas_.back());
  }
  if (!together_) return;
  // One network takes the rank's whole share, with all its threads, and meets the other ranks' in each norm.
  const auto [first, last] = shards_of_item(ranks.rank());
  replicas_.front()->share = make_batch((last - first) * parameters.micro_batch, grid);
  norm_ranks_ = ranks.duplicate("the norms' own ranks");
  replicas_.front()->model->sum_over_ranks([this](double* values, size_t count) {
    norm_ranks_->all_reduce(distributed::buffer_of(values, count), "a norm's sums");
  });
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

// Makes the replica's parameters views of the common weights, and has each gradient copied to its place when it is
// there.
void TrainingState::watch(Replica& replica) {
  alias(replica.model, layout_, weights.parameters.data(), replica.statistics.data());
  auto named = replica.model->named_parameters();
  for (const auto& slot : layout_.parameters) {
    const size_t bucket = bucket_of(slot);
    take_gradients(named[slot.name], [this, &replica, &slot, bucket](const torch::Tensor& gradient) {
      torch::from_blob(reducer_->input(replica.item) + slot.offset, slot.shape)
          .copy_(gradient);  // whatever its strides
      if (--replica.missing[bucket] == 0) reducer_->ready(replica.item, bucket);
    });
  }
}

TrainingState::~TrainingState() = default;

void TrainingState::set_reproducible(distributed::Reproducible mode) {
  PENSTOCK_CHECK(!together_, "synchronised norms know one way to add up");
  reproducible_ = mode;
  reducer_->set_reproducible(mode);
}

// In place: the replicas look at these buffers.
void TrainingState::load_weights(const Weights& given) {
  std::copy(given.parameters.begin(), given.parameters.end(), weights.parameters.begin());
  std::copy(given.statistics.begin(), given.statistics.end(), weights.statistics.begin());
}

void TrainingState::load(const StepState& state) {
  load_weights(state.weights);
  optimiser.first = state.first;
  optimiser.second = state.second;
  updates = state.updates;
}

StepResult TrainingState::step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                               int64_t step, double lr, bool interrupted) {
  reducer_->begin("step " + std::to_string(updates + 1));
  const auto [first, last] = reducer_->mine();
  pool_.run(last - first, [&, first = first](int worker, int item) {
    const auto [first_shard, last_shard] = shards_of_item(first + item);
    std::vector<const GridSample*> chosen;
    std::vector<Orientation> orientations;
    for (int shard = first_shard; shard < last_shard; ++shard) {
      for (const int index : micro_shard(order, step, shard, parameters_.global_batch, parameters_.micro_batch)) {
        chosen.push_back(&samples[index]);
        orientations.push_back(
            draw_orientation(augmentation_, parameters_.seed, epoch, samples[index].id, grid_.height, grid_.width));
      }
    }
    run_item(*replicas_[together_ ? 0 : worker], chosen, orientations, epoch, step, first + item,
             interrupted && item == 0);
  });
  const float* sum = reducer_->finish();
  const float* statistics = sum + layout_.parameter_count;
  const float* figures = statistics + layout_.statistic_count;
  const auto items = static_cast<double>(items_);
  StepResult result{{figures[0], figures[1] / items, figures[2] / items, figures[3] / items, figures[4] / items},
                    optimiser.norm_of(sum, pool_),
                    figures[5] > 0,
                    ""};
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
    if (std::any_of(values, values + slot.count, [](float value) { return !std::isfinite(value); }))
      return "the gradient of " + slot.name;
  }
  return "the loss";
}

void TrainingState::run_item(Replica& replica, const std::vector<const GridSample*>& samples,
                             const std::vector<Orientation>& orientations, int64_t epoch, int64_t step, int item,
                             bool interrupted) {
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
  const auto loss =
      loss_of(parameters_.loss, logits, batch.masks).sum() / static_cast<double>(parameters_.global_batch);

  // The tail is known before backward begins: it rides in the first bucket.
  const auto items = static_cast<float>(items_);
  float* statistics = reducer_->input(item) + layout_.parameter_count;
  for (size_t i = 0; i < replica.statistics.size(); ++i) statistics[i] = replica.statistics[i] / items;
  float* figures = statistics + layout_.statistic_count;
  figures[0] = loss.item<float>();
  const auto count = static_cast<int64_t>(samples.size());
  const auto shares = shares_of(logits.detach().contiguous(), batch.masks, count);
  // Ranks' shares of a batch may differ by a micro-shard; micro-shards do not.
  const float weight =
      together_ ? static_cast<float>(count) * items / static_cast<float>(parameters_.global_batch) : 1.0f;
  for (size_t i = 0; i < shares.size(); ++i) figures[1 + i] = shares[i] * weight;
  figures[5] = interrupted;
  loss.backward();
  if (together_) at::set_num_threads(1);
}

Figures TrainingState::validate(const std::vector<GridSample>& samples) {
  const int64_t micro = parameters_.micro_batch;
  const auto run = [this](int items, const std::function<void(int, int)>& body) { pool_.run(items, body); };
  return validation_figures(ranks_, static_cast<int64_t>(samples.size()), micro, run,
                            [&](int worker, int64_t first, int64_t real, double* row) {
                              const torch::NoGradGuard no_gradients;
                              Replica& replica = *replicas_[worker];
                              std::vector<const GridSample*> chosen;
                              for (int64_t i = 0; i < micro; ++i)
                                chosen.push_back(&samples[first + std::min(i, real - 1)]);  // padded to the fixed shape
                              fill_batch(replica.batch, chosen, {}, normaliser_, grid_);
                              replica.statistics = weights.statistics;
                              replica.model->eval();
                              const auto logits = replica.model(replica.batch.images).contiguous();
                              const auto losses = loss_of(parameters_.loss, logits, replica.batch.masks);
                              for (int64_t i = 0; i < real; ++i) row[0] += losses.data_ptr<float>()[i];
                              const auto shares = shares_of(logits, replica.batch.masks, real);
                              for (int i = 0; i < 4; ++i)
                                row[i + 1] = static_cast<double>(shares[i]) * static_cast<double>(real);
                            });
}

}  // namespace penstock::stages
