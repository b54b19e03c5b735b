#include "stages/compute/training_step.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "stages/draws.h"

namespace penstock::stages {
namespace {

// A micro-shard's vector: gradients, running statistics, then these.
constexpr int figure_count = 6;  // loss, tp, fp, fn, tn, interrupted

// Kingma and Ba 2015, arXiv:1412.6980; decay decoupled as in Loshchilov and Hutter 2019, arXiv:1711.05101.
constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
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

struct TrainingState::Replica {
  UNet model;
  std::vector<float> gradients, statistics;
  Batch batch;
};

TrainingState::TrainingState(const TrainParameters& parameters, const Architecture& architecture, const ShardIndex& grid, Normaliser normaliser,
                             distributed::Communicator& ranks, int threads, distributed::Reproducible reproducible)
    : parameters_(parameters), grid_(grid), normaliser_(std::move(normaliser)), ranks_(ranks), pool_(threads) {
  for (const std::string& change : parameters.augment) (change == "flip" ? augmentation_.flip : augmentation_.rotate) = true;
  layout_ = layout_of(UNet(architecture));
  initialise(layout_, parameters.seed, weights.parameters, weights.statistics);
  adam_mean.resize(weights.parameters.size());
  adam_square.resize(weights.parameters.size());
  const size_t length = static_cast<size_t>(layout_.parameter_count + layout_.statistic_count) + figure_count;
  reducer_ = std::make_unique<distributed::GradientReducer>(ranks, static_cast<int>(parameters.micro_shards()), length, reproducible);
  for (int worker = 0; worker < threads; ++worker) {
    auto replica = std::make_unique<Replica>(Replica{UNet(architecture), std::vector<float>(layout_.parameter_count), weights.statistics,
                                                     make_batch(parameters.micro_batch, grid)});
    alias(replica->model, layout_, weights.parameters.data(), replica->gradients.data(), replica->statistics.data());
    replicas_.push_back(std::move(replica));
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
  const auto [first, last] = reducer_->mine();
  pool_.run(last - first, [&, first = first](int worker, int item) {
    const int shard = first + item;
    std::vector<const GridSample*> chosen;
    std::vector<Orientation> orientations;
    for (const int index : micro_shard(order, step, shard, parameters_.global_batch, parameters_.micro_batch)) {
      chosen.push_back(&samples[index]);
      orientations.push_back(draw_orientation(augmentation_, parameters_.seed, epoch, samples[index].id, grid_.height, grid_.width));
    }
    run_micro_shard(*replicas_[worker], chosen, orientations, epoch, step, shard, reducer_->input(shard));
  });
  const int64_t figures_at = layout_.parameter_count + layout_.statistic_count;
  if (interrupted && first < last) reducer_->input(first)[figures_at + 5] = 1;
  const float* sum = reducer_->reduce("gradients");
  update(sum, lr);
  const float* figures = sum + figures_at;
  const auto shards = static_cast<double>(parameters_.micro_shards());
  return {{figures[0], figures[1] / shards, figures[2] / shards, figures[3] / shards, figures[4] / shards}, figures[5] > 0};
}

void TrainingState::run_micro_shard(Replica& replica, const std::vector<const GridSample*>& samples, const std::vector<Orientation>& orientations,
                                    int64_t epoch, int64_t step, int64_t shard, float* out) {
  fill_batch(replica.batch, samples, orientations, normaliser_, grid_);
  std::fill(replica.gradients.begin(), replica.gradients.end(), 0.0f);
  replica.model->train();
  std::optional<at::Generator> dropout;
  if (parameters_.dropout > 0) {
    dropout = at::make_generator<at::CPUGeneratorImpl>(Draws(parameters_.seed, "dropout", {epoch, step, shard}).bits(0));
  }
  const auto logits = replica.model(replica.batch.images, dropout);
  const auto loss = loss_of(logits, replica.batch.masks).sum() / static_cast<double>(parameters_.global_batch);
  loss.backward();

  const auto shards = static_cast<float>(parameters_.micro_shards());
  std::memcpy(out, replica.gradients.data(), replica.gradients.size() * sizeof(float));
  float* statistics = out + layout_.parameter_count;
  for (size_t i = 0; i < replica.statistics.size(); ++i) statistics[i] = replica.statistics[i] / shards;
  float* figures = statistics + layout_.statistic_count;
  figures[0] = loss.item<float>();
  const auto shares = shares_of(logits.detach().contiguous(), replica.batch.masks, parameters_.micro_batch);
  std::copy(shares.begin(), shares.end(), figures + 1);
  figures[5] = 0;
}

void TrainingState::update(const float* reduced, double lr) {
  ++updates;
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(updates));
  const double correction2 = 1 - std::pow(beta2, static_cast<double>(updates));
  const auto rate = static_cast<float>(lr / correction1), scale = static_cast<float>(1 / std::sqrt(correction2));
  const auto decay = static_cast<float>(1 - lr * parameters_.weight_decay);
  float* w = weights.parameters.data();
  float* m = adam_mean.data();
  float* v = adam_square.data();
  for (int64_t i = 0; i < layout_.parameter_count; ++i) {
    const float g = reduced[i];
    m[i] = static_cast<float>(beta1) * m[i] + static_cast<float>(1 - beta1) * g;
    v[i] = static_cast<float>(beta2) * v[i] + static_cast<float>(1 - beta2) * g * g;
    w[i] = decay * w[i] - rate * m[i] / (std::sqrt(v[i]) * scale + static_cast<float>(epsilon));
  }
  const float* statistics = reduced + layout_.parameter_count;
  for (int64_t i = 0; i < layout_.statistic_count; ++i) {
    weights.statistics[i] += statistics_momentum * (statistics[i] - weights.statistics[i]);
  }
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
