#include "stages/compute/optimiser.h"

#include <algorithm>
#include <cmath>

namespace penstock::stages {
namespace {

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
constexpr size_t block = 64 * 1024;  // elements that one worker takes at once

size_t blocks_of(size_t count) { return (count + block - 1) / block; }

}  // namespace

Optimiser::Optimiser(const TrainParameters& parameters, size_t count)
    : first(count), kind_(parameters.optimizer == "sgd" ? Kind::sgd : parameters.optimizer == "adam" ? Kind::adam : Kind::adamw),
      weight_decay_(parameters.weight_decay), momentum_(parameters.momentum), clip_norm_(parameters.clip_norm), count_(count), squares_(blocks_of(count)) {
  if (kind_ != Kind::sgd) second.resize(count);
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

void Optimiser::update(std::vector<float>& weights, const float* gradient, double norm, double lr, int64_t step, WorkerPool& pool) {
  const auto scale = static_cast<float>(norm > clip_norm_ && clip_norm_ > 0 ? clip_norm_ / norm : 1.0);
  pool.run(static_cast<int>(blocks_of(count_)), [&](int, int index) {
    const size_t begin = static_cast<size_t>(index) * block;
    update_block(weights.data(), gradient, begin, std::min(begin + block, count_), lr, step, scale);
  });
}

void Optimiser::update_block(float* w, const float* gradient, size_t begin, size_t end, double lr, int64_t step, float scale) {
  float* m = first.data();
  float* v = second.data();
  const auto coupled = static_cast<float>(kind_ == Kind::adamw ? 0 : weight_decay_);
  if (kind_ == Kind::sgd) {
    const auto rate = static_cast<float>(lr), momentum = static_cast<float>(momentum_);
    for (size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * scale + coupled * w[i];
      m[i] = momentum * m[i] + g;
      w[i] -= rate * m[i];
    }
    return;
  }
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(step)), correction2 = 1 - std::pow(beta2, static_cast<double>(step));
  const auto rate = static_cast<float>(lr / correction1), root = static_cast<float>(1 / std::sqrt(correction2));
  const auto decay = static_cast<float>(kind_ == Kind::adamw ? 1 - lr * weight_decay_ : 1);
  const auto b1 = static_cast<float>(beta1), c1 = static_cast<float>(1 - beta1), b2 = static_cast<float>(beta2), c2 = static_cast<float>(1 - beta2);
  const auto small = static_cast<float>(epsilon);
  for (size_t i = begin; i < end; ++i) {
    const float g = gradient[i] * scale + coupled * w[i];
    m[i] = b1 * m[i] + c1 * g;
    v[i] = b2 * v[i] + c2 * g * g;
    w[i] = decay * w[i] - rate * m[i] / (std::sqrt(v[i]) * root + small);
  }
}

}  // namespace penstock::stages
