// One pass over flat weights per step: clipping, the moments and the weights together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stages/arithmetic/device_arithmetic.h"
#include "stages/compute/step/worker_pool.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// SGD with momentum (Sutskever et al. 2013, in PyTorch's form: v = momentum * v + g, w -= lr * v), Adam (Kingma and Ba
// 2015, arXiv:1412.6980; decay added to the gradient) or AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101; decay of
// the weights themselves). Each element depends on itself alone, and the norm is summed in blocks of a fixed size, so
// the result does not depend on the thread count. Called by one thread, which waits for the pool.
class Optimiser {
 public:
  // The first `part` elements learn at a rate of their own; 0 keeps their weights, while their moments follow.
  struct Rates {
    double lr = 0;
    size_t part = 0;
    double part_lr = 0;
  };

  Optimiser(const TrainParameters& parameters, size_t count);

  // The Euclidean norm of a gradient; not finite when one of its elements is not.
  double norm_of(const float* gradient, WorkerPool& pool);
  // weights[i] for i in [0, count), from the mean gradient over the global batch and its norm. `step` is 1 for the
  // first update. `averaged`, where given, follows the updated weights (train.ema).
  void update(std::vector<float>& weights, const float* gradient, double norm, const Rates& rates, int64_t step,
              WorkerPool& pool, std::vector<float>* averaged = nullptr);

  std::vector<float> first, second;  // moments; SGD keeps its velocity in `first`, and `second` is empty

 private:
  // Elements [begin, end).
  void update_part(float* weights, const float* gradient, size_t begin, size_t end, double lr, int64_t step,
                   float scale);

  OptimiserKind kind_;
  double weight_decay_, momentum_, clip_norm_, ema_;
  size_t count_;
  std::vector<double> squares_;  // of each block
};

}  // namespace penstock::stages
