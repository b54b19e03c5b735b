#include "stages/compute/step/host_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>

#include "distributed/check.h"
#include "stages/arithmetic/device_arithmetic.h"
#include "stages/draws.h"
#include "stages/training/norms.h"
#include "stages/training/optimisers.h"
#include "stages/training/precisions.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

int64_t pixels_of(std::span<const BatchRow> rows) {
  int64_t pixels = 0;
  for (const BatchRow& row : rows) pixels += int64_t{row.height} * row.width;
  return pixels;
}

// Of the rows' pixels that count, the shares that are tp, fp, fn, tn when logits above 0 are foreground: of the first
// channel, the mask; the others are those of other targets and of side outputs.
std::array<float, 4> shares_of(const torch::Tensor& logits, const torch::Tensor& targets,
                               std::span<const BatchRow> rows) {
  const int64_t height = logits.size(2), width = logits.size(3), pixels = pixels_of(rows);
  std::array<int64_t, 4> counts = {};
  for (size_t n = 0; n < rows.size(); ++n) {
    for (int32_t y = 0; y < rows[n].height; ++y) {
      const auto line_of = [&, line = y * width](const torch::Tensor& values) {
        return values.data_ptr<float>() + static_cast<int64_t>(n) * values.size(1) * height * width + line;
      };
      const float *z = line_of(logits), *t = line_of(targets);
      for (int32_t x = 0; x < rows[n].width; ++x) ++counts[z[x] > 0 ? (t[x] > 0 ? 0 : 1) : (t[x] > 0 ? 2 : 3)];
    }
  }
  std::array<float, 4> shares;
  for (int i = 0; i < 4; ++i)
    shares[i] = static_cast<float>(static_cast<double>(counts[i]) / static_cast<double>(pixels));
  return shares;
}

void require_share(const TrainParameters& parameters, const distributed::Communicator& ranks) {
  if (ranks.size() <= parameters.micro_shards()) return;
  throw Error(ExitCode::config,
              fmt::format("norm = \"{}\" needs every rank to have samples: {} ranks share {} micro-shards; a larger "
                          "global_batch or smaller micro_batch gives each one",
                          parameters.norm, ranks.size(), parameters.micro_shards()));
}

}  // namespace

// A network of one worker: its weights are the common ones, its running statistics its own.
struct HostStep::Replica {
  std::shared_ptr<Network> network;
  std::vector<float> statistics;
  Batch batch;  // one micro-shard
  Batch share;  // the rank's whole share, with a norm over ranks
  // Of the item that is being worked on.
  int item = 0;
  std::vector<size_t> missing;  // of each bucket: gradients that backward has not brought
};

std::vector<distributed::Bucket> HostStep::buckets() const {
  std::vector<size_t> slots;
  for (const auto& slot : layout_.parameters) slots.push_back(static_cast<size_t>(slot.count));
  return gradient_buckets(slots, layout_.statistic_count);
}

HostStep::HostStep(const TrainParameters& parameters, const Architecture& architecture, const InputShape& input,
                   Normaliser normaliser, distributed::Communicator& ranks, int threads, const StepOptions& options)
    : parameters_(parameters),
      input_(input),
      ranks_(ranks),
      known_(input, std::move(normaliser)),
      crop_rules_(crop_rules_of(parameters)),
      loss_(loss_of(parameters)),
      layout_(layout_of(*make_network(architecture))),
      whole_share_(norm_rule(architecture.norm).over_ranks),
      reproducible_(whole_share_ ? distributed::Reproducible::run : options.reproducible),
      overlap_(options.overlap),
      items_(items_of(parameters, ranks.size())),
      optimiser_(parameters, static_cast<size_t>(layout_.parameter_count)),
      pool_(threads) {
  initialise(layout_, parameters.seed, weights_.parameters, weights_.statistics);
  if (averages()) averaged_ = weights_;
  if (works_in_bfloat16(parameters.precision)) rounded_.resize(weights_.parameters.size());
  round_weights();
  if (whole_share_) require_share(parameters, ranks);
  const distributed::ReducerOptions how{items_, reproducible_, options.overlap};
  reducer_ = std::make_unique<distributed::GradientReducer>(ranks, buckets(), how);
  slots_in_bucket_.resize(reducer_->buckets().size());
  for (const auto& slot : layout_.parameters)
    ++slots_in_bucket_[distributed::bucket_of(reducer_->buckets(), static_cast<size_t>(slot.offset))];
  for (int worker = 0; worker < threads; ++worker) {
    replicas_.push_back(
        std::make_unique<Replica>(Replica{make_network(architecture),
                                          weights_.statistics,
                                          make_batch(parameters.micro_batch, input, targets_of(parameters)),
                                          {},
                                          0,
                                          {}}));
    hook_gradients(*replicas_.back());
  }
  if (whole_share_) join_norms(*replicas_.front());
}

// One network takes the rank's whole share, with all its threads, and meets the other ranks' in each norm.
void HostStep::join_norms(Replica& replica) {
  const auto [first, last] = shards_of_item(ranks_.rank());
  replica.share = make_batch((last - first) * parameters_.micro_batch, input_, targets_of(parameters_));
  norm_ranks_ = ranks_.duplicate("the norms' own ranks");
  replica.network->sum_over_ranks([this](double* values, size_t count) {
    norm_ranks_->all_reduce(distributed::buffer_of(values, count), "a norm's sums");
  });
}

// The micro-shards that are worked on at once: one, or with a norm over ranks all of a rank's.
std::pair<int, int> HostStep::shards_of_item(int item) const {
  const auto shards = static_cast<int>(parameters_.micro_shards());
  return whole_share_ ? distributed::micro_shards_of(item, ranks_.size(), shards) : std::pair(item, item + 1);
}

// Makes the replica's parameters views of the common weights, and has each gradient copied to its place when it is
// complete.
void HostStep::hook_gradients(Replica& replica) {
  alias(*replica.network, layout_, weights_.parameters.data(), replica.statistics.data(),
        rounded_.empty() ? nullptr : rounded_.data());
  auto named = replica.network->named_parameters();
  for (const auto& slot : layout_.parameters) {
    const size_t bucket = distributed::bucket_of(reducer_->buckets(), static_cast<size_t>(slot.offset));
    take_gradients(named[slot.name], [this, &replica, &slot, bucket](const torch::Tensor& gradient) {
      torch::from_blob(reducer_->input(replica.item) + slot.offset, slot.shape)
          .copy_(gradient);  // whatever its strides
      PENSTOCK_CHECK(replica.missing[bucket] > 0, "backward brings each parameter's gradient once a step");
      if (--replica.missing[bucket] == 0) reducer_->ready(replica.item, bucket);
    });
  }
}

HostStep::~HostStep() = default;

void HostStep::set_overlap(bool overlap) {
  overlap_ = overlap;
  reducer_->set_overlap(overlap);
}

void HostStep::set_reproducible(distributed::Reproducible mode) {
  PENSTOCK_CHECK(!whole_share_, "a norm over ranks sums in one way only");
  reproducible_ = mode;
  reducer_->set_reproducible(mode);
}

// In place: the replicas' parameters are views of these buffers.
void HostStep::load_weights(const Weights& given) {
  check_state(layout_, given);
  std::copy(given.parameters.begin(), given.parameters.end(), weights_.parameters.begin());
  std::copy(given.statistics.begin(), given.statistics.end(), weights_.statistics.begin());
  if (averages()) averaged_ = weights_;
  round_weights();
}

// With every change of the weights. Parameters that keep float32 have a copy here that nobody reads.
void HostStep::round_weights() {
  constexpr size_t block = 64 * 1024;  // elements that one worker takes at once
  pool_.run(static_cast<int>((rounded_.size() + block - 1) / block), [&](int, int index) {
    const size_t begin = static_cast<size_t>(index) * block, end = std::min(begin + block, rounded_.size());
    for (size_t i = begin; i < end; ++i) rounded_[i].x = bfloat16_of(weights_.parameters[i]);
  });
}

// Float32, whatever the network works in.
torch::Tensor HostStep::logits_of(Replica& replica, const torch::Tensor& images, std::optional<at::Generator> dropout) {
  const auto seen = rounded_.empty() ? images : images.to(torch::kBFloat16);
  return (*replica.network)(seen, std::move(dropout)).to(torch::kFloat32);
}

void HostStep::load(const StepState& state) {
  check_state(layout_, state, optimiser_rule(parameters_.optimizer).moments, averages());
  load_weights(state.weights);
  averaged_ = state.averaged;
  optimiser_.first = state.first;
  optimiser_.second = state.second;
  updates_ = state.updates;
}

StepResult HostStep::step(const std::vector<GridSample>& samples, const std::vector<int>& order, int64_t epoch,
                          int64_t step, double lr, bool interrupted) {
  const StepSamples& data = known_.of(samples);
  check_step(data, order, step);
  reducer_->begin("step " + std::to_string(updates_ + 1));
  const auto [first, last] = reducer_->mine();
  pool_.run(last - first, [&, first = first](int worker, int index) {
    Item item = item_of(first + index, data, order, epoch, step);
    run_item(*replicas_[whole_share_ ? 0 : worker], data, item, epoch, step, interrupted && index == 0);
  });
  const float* sum = reducer_->finish();
  const float* statistics = sum + layout_.parameter_count;
  StepFigures figures;
  std::memcpy(static_cast<void*>(&figures), statistics + layout_.statistic_count, sizeof figures);
  const auto items = static_cast<double>(items_);
  StepResult result{{figures.loss, figures.tp / items, figures.fp / items, figures.fn / items, figures.tn / items},
                    optimiser_.norm_of(sum, pool_),
                    figures.interrupted > 0,
                    ""};
  // Every rank has the same sum, so all find the same fault.
  if (!std::isfinite(result.figures.loss) || !std::isfinite(result.gradient_norm)) {
    result.fault = fault_of(layout_, [&](size_t i) { return sum + layout_.parameters[i].offset; });
    return result;
  }
  const PartRate part = encoder_rate(parameters_, layout_, epoch);
  const auto slow = part.parameters == 0 ? size_t{0} : static_cast<size_t>(layout_.parameters[part.parameters].offset);
  optimiser_.update(weights_.parameters, sum, result.gradient_norm, {lr, slow, lr * part.share}, ++updates_, pool_,
                    averages() ? &averaged_.parameters : nullptr);
  round_weights();
  for (int64_t i = 0; i < layout_.statistic_count; ++i) {
    weights_.statistics[i] += statistics_momentum * (statistics[i] - weights_.statistics[i]);
    if (averages())
      average_element(average_share(parameters_.ema, updates_), weights_.statistics[i], averaged_.statistics[i]);
  }
  return result;
}

HostStep::Item HostStep::item_of(int index, const StepSamples& data, const std::vector<int>& order, int64_t epoch,
                                 int64_t step) const {
  Item item{index, {}, {}};
  const auto [first, last] = shards_of_item(index);
  for (int shard = first; shard < last; ++shard) {
    for (const int place : micro_shard(order, step, shard, parameters_.global_batch, parameters_.micro_batch)) {
      item.looks.push_back(data.look(data.sample_of(place)));
      item.rows.push_back(data.drawn(place, crop_rules_, epoch, item.looks.back()));
    }
  }
  return item;
}

// Forward and backward of one item; its gradient, statistics and figures go to the reducer.
void HostStep::run_item(Replica& replica, const StepSamples& data, Item& item, int64_t epoch, int64_t step,
                        bool interrupted) {
  replica.item = item.index;
  replica.missing = slots_in_bucket_;
  Batch& batch = whole_share_ ? replica.share : replica.batch;
  if (whole_share_) at::set_num_threads(pool_.size());  // of this thread; the other workers have nothing to do
  fill_batch(batch, data, item.rows, item.looks);
  item.looks.clear();
  replica.network->train();
  std::optional<at::Generator> dropout;
  if (parameters_.dropout > 0) {
    dropout =
        at::make_generator<at::CPUGeneratorImpl>(Draws(parameters_.seed, "dropout", {epoch, step, item.index}).bits(0));
  }
  const auto logits = logits_of(replica, batch.images, dropout);
  const auto loss = loss_(logits, batch.targets).sum() / static_cast<double>(parameters_.global_batch);
  write_tail(replica, logits.detach().contiguous(), batch, item, loss.item<float>(), interrupted);
  loss.backward();
  if (whole_share_) at::set_num_threads(1);
}

// Statistics and figures. They are known before backward begins, so they ride in the first bucket.
void HostStep::write_tail(const Replica& replica, const torch::Tensor& logits, const Batch& batch, const Item& item,
                          float loss, bool interrupted) {
  const auto items = static_cast<float>(items_);
  float* statistics = reducer_->input(replica.item) + layout_.parameter_count;
  for (size_t i = 0; i < replica.statistics.size(); ++i) statistics[i] = replica.statistics[i] / items;
  const auto [tp, fp, fn, tn] = shares_of(logits, batch.targets, item.rows);
  // Ranks' shares of a batch may differ by a micro-shard; micro-shards do not.
  const float weight =
      whole_share_ ? static_cast<float>(item.rows.size()) * items / static_cast<float>(parameters_.global_batch) : 1.0f;
  const StepFigures figures{loss, tp * weight, fp * weight, fn * weight, tn * weight, interrupted ? 1.0f : 0.0f};
  std::memcpy(statistics + layout_.statistic_count, &figures, sizeof figures);
}

// The replicas' parameters are views of the weights: the averaged ones take their place, or give it back.
void HostStep::exchange_averaged() {
  if (!averages()) return;
  std::swap_ranges(weights_.parameters.begin(), weights_.parameters.end(), averaged_.parameters.begin());
  std::swap_ranges(weights_.statistics.begin(), weights_.statistics.end(), averaged_.statistics.begin());
  round_weights();
}

Figures HostStep::validate(const std::vector<GridSample>& samples) {
  const auto run = [this](int items, const std::function<void(int, int)>& body) {
    exchange_averaged();
    pool_.run(items, body);
    exchange_averaged();
  };
  const StepSamples& data = known_.of(samples);
  return validation_figures(ranks_, data, parameters_.micro_batch, run,
                            [&](int worker, int64_t first, int64_t real, Figures& sums) {
                              sums = validate_batch(*replicas_[worker], data, first, real);
                            });
}

// The sums over tiles [first, first + real).
Figures HostStep::validate_batch(Replica& replica, const StepSamples& data, int64_t first, int64_t real) {
  const torch::NoGradGuard no_gradients;
  std::vector<BatchRow> rows;
  std::vector<SampleLook> looks;
  for (int64_t i = 0; i < parameters_.micro_batch; ++i) {
    rows.push_back(data.tile(static_cast<size_t>(first + std::min(i, real - 1))));  // padded to the fixed shape
    const bool again = i > 0 && rows[rows.size() - 2].sample == rows.back().sample;
    looks.push_back(again ? looks.back() : data.look(rows.back().sample));
  }
  fill_batch(replica.batch, data, rows, looks);
  looks.clear();
  rows.resize(static_cast<size_t>(real));
  replica.statistics = weights_.statistics;
  replica.network->eval();
  const auto logits = logits_of(replica, replica.batch.images, std::nullopt).contiguous();
  const auto losses = loss_(logits, replica.batch.targets);
  Figures sums;
  for (int64_t i = 0; i < real; ++i) sums.loss += losses.data_ptr<float>()[i];
  const auto shares = shares_of(logits, replica.batch.targets, rows);
  const double count =
      static_cast<double>(pixels_of(rows)) / (static_cast<double>(input_.height) * static_cast<double>(input_.width));
  sums.tp = shares[0] * count, sums.fp = shares[1] * count, sums.fn = shares[2] * count, sums.tn = shares[3] * count;
  return sums;
}

}  // namespace penstock::stages
