#include "stages/compute/step/optimiser.h"

#include <algorithm>
#include <cmath>

#include "distributed/check.h"
#include "stages/training/optimisers.h"

namespace penstock::stages {
namespace {

constexpr size_t block = 64 * 1024;  // elements that one worker takes at once

size_t blocks_of(size_t count) { return (count + block - 1) / block; }

}  // namespace

Optimiser::Optimiser(const TrainParameters& parameters, size_t count)
    : first(count),
      kind_(optimiser_rule(parameters.optimizer).kind),
      weight_decay_(parameters.weight_decay),
      momentum_(parameters.momentum),
      clip_norm_(parameters.clip_norm),
      ema_(parameters.ema),
      count_(count),
      squares_(blocks_of(count)) {
  if (optimiser_rule(parameters.optimizer).moments > 1) second.resize(count);
}

double Optimiser::norm_of(const float* gradient, WorkerPool& pool) {
  pool.run(static_cast<int>(squares_.size()), [&](int, int index) {
    double sum = 0;
    const size_t begin = static_cast<size_t>(index) * block, end = std::min(begin + block, count_);
    for (size_t i = begin; i < end; ++i) sum += double{gradient[i]} * gradient[i];
    squares_[index] = sum;
  });
  double sum = 0;
  for (const double part : squares_) sum += part;
  return std::sqrt(sum);
}

void Optimiser::update(std::vector<float>& weights, const float* gradient, double norm, const Rates& rates,
                       int64_t step, WorkerPool& pool, std::vector<float>* averaged) {
  PENSTOCK_CHECK(weights.size() == count_ && step >= 1 && (averaged == nullptr || averaged->size() == count_),
                 "an update is of the weights that the optimiser was made for");
  const float share = average_share(ema_, step);
  const float scale = clip_scale(norm, clip_norm_);
  pool.run(static_cast<int>(blocks_of(count_)), [&](int, int index) {
    const size_t begin = static_cast<size_t>(index) * block;
    const size_t end = std::min(begin + block, count_);
    const size_t rest = std::clamp(rates.part, begin, end);
    update_part(weights.data(), gradient, begin, rest, rates.part_lr, step, scale);
    update_part(weights.data(), gradient, rest, end, rates.lr, step, scale);
    if (averaged == nullptr) return;
    for (size_t i = begin; i < end; ++i) average_element(share, weights[i], (*averaged)[i]);
  });
}

void Optimiser::update_part(float* w, const float* gradient, size_t begin, size_t end, double lr, int64_t step,
                            float scale) {
  float* m = first.data();
  float* v = second.data();
  const UpdateFactors factors = factors_of(kind_, lr, weight_decay_, momentum_, step);
  if (kind_ == OptimiserKind::sgd) {
    for (size_t i = begin; i < end; ++i) sgd_element(factors, gradient[i] * scale, w[i], m[i]);
  } else {
    for (size_t i = begin; i < end; ++i) adam_element(factors, gradient[i] * scale, w[i], m[i], v[i]);
  }
}

}  // namespace penstock::stages
