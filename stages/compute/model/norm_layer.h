// The norms of a network as layers, by the names of stages/training/norms.h.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stages/compute/model/sync_norm.h"

namespace penstock::stages {

// A norm and the ReLU behind it. Its object is also the torch::nn::Module that holds the norm's weights.
class NormLayer {
 public:
  virtual ~NormLayer() = default;
  // x: [N, C, H, W]. In training, running statistics are set to those of this x alone.
  virtual torch::Tensor normed_relu(const torch::Tensor& x) = 0;
  virtual void sum_over_ranks(const SumOverRanks&) {}
};

struct NormMaker {
  std::string name;
  std::shared_ptr<NormLayer> (*make)(int64_t channels) = nullptr;  // returns null for "none"
};
const std::vector<NormMaker>& norm_makers();

// Null where the norm is no layer; an unknown name fails a check.
std::shared_ptr<NormLayer> make_norm(std::string_view name, int64_t channels);

}  // namespace penstock::stages
