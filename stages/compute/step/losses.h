// The losses of training, by the names of stages/training/losses.h. Any thread may call.
#pragma once

#include <torch/torch.h>

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

// Of one output channel. logits and masks: [N, 1, H, W] float32 -> [N]: means over samples, so that the mathematics is
// the same however samples are grouped.
using LossFunction = torch::Tensor (*)(const torch::Tensor& logits, const torch::Tensor& masks);

struct NamedLoss {
  std::string name;
  LossFunction function = nullptr;
};
const std::vector<NamedLoss>& losses();

LossFunction loss_function(std::string_view name);  // fails a check where there is none of that name

// The loss of a network with one channel a target: the sum over its channels. logits and targets: [N, K, H, W] -> [N].
class Loss {
 public:
  explicit Loss(std::string_view name) : function_(loss_function(name)) {}
  torch::Tensor operator()(const torch::Tensor& logits, const torch::Tensor& targets) const;

 private:
  LossFunction function_;
};

}  // namespace penstock::stages
