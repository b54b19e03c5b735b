#include "stages/compute/step/losses.h"

#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

torch::Tensor bce(const torch::Tensor& logits, const torch::Tensor& masks) {
  return torch::binary_cross_entropy_with_logits(logits, masks, {}, {}, at::Reduction::None).mean({1, 2, 3});
}

// Soft Dice of a sample: Milletari et al. 2016, arXiv:1606.04797; 1 is added above and below, so that two empty
// masks agree.
torch::Tensor bce_dice(const torch::Tensor& logits, const torch::Tensor& masks) {
  const auto cross_entropy = bce(logits, masks);
  const auto p = torch::sigmoid(logits);
  const auto dice = (2 * (p * masks).sum({1, 2, 3}) + 1) / (p.sum({1, 2, 3}) + masks.sum({1, 2, 3}) + 1);
  return cross_entropy + 1 - dice;
}

}  // namespace

const std::vector<NamedLoss>& losses() {
  static const std::vector<NamedLoss> all = {{"bce", bce}, {"bce_dice", bce_dice}};
  return all;
}

LossFunction loss_function(std::string_view name) { return row_of(losses(), "loss", name).function; }

torch::Tensor Loss::operator()(const torch::Tensor& logits, const torch::Tensor& targets) const {
  if (logits.size(1) == 1) return function_(logits, targets);
  torch::Tensor sum;
  for (int64_t channel = 0; channel < logits.size(1); ++channel) {
    const auto loss = function_(logits.narrow(1, channel, 1), targets.narrow(1, channel, 1));
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum;
}

}  // namespace penstock::stages
