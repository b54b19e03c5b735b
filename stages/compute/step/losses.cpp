#include "stages/compute/step/losses.h"

#include "distributed/check.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

torch::Tensor bce(const torch::Tensor& logits, const torch::Tensor& masks) {
  return torch::binary_cross_entropy_with_logits(logits, masks, {}, {}, at::Reduction::None).mean({1, 2, 3});
}

torch::Tensor soft_dice(const torch::Tensor& logits, const torch::Tensor& masks) {
  const auto p = torch::sigmoid(logits);
  return (2 * (p * masks).sum({1, 2, 3}) + 1) / (p.sum({1, 2, 3}) + masks.sum({1, 2, 3}) + 1);
}

torch::Tensor dice(const torch::Tensor& logits, const torch::Tensor& masks) { return 1 - soft_dice(logits, masks); }

torch::Tensor bce_dice(const torch::Tensor& logits, const torch::Tensor& masks) {
  return bce(logits, masks) + 1 - soft_dice(logits, masks);
}

torch::Tensor focal(const torch::Tensor& logits, const torch::Tensor& masks) {
  const auto p = torch::sigmoid(logits);
  const auto wrong = p + masks - 2 * p * masks;  // 1 - q
  const auto each = torch::binary_cross_entropy_with_logits(logits, masks, {}, {}, at::Reduction::None);
  return (wrong * wrong * each).mean({1, 2, 3});
}

torch::Tensor tversky(const torch::Tensor& logits, const torch::Tensor& masks) {
  constexpr double false_weight = 0.3, missed_weight = 0.7;
  const auto p = torch::sigmoid(logits);
  const auto found = (p * masks).sum({1, 2, 3});
  const auto wrong = false_weight * (p * (1 - masks)).sum({1, 2, 3}) + missed_weight * ((1 - p) * masks).sum({1, 2, 3});
  return 1 - (found + 1) / (found + wrong + 1);
}

// The gradient of the Lovasz extension is what each pixel, put to the wrong ones, adds to 1 - IoU.
torch::Tensor lovasz(const torch::Tensor& logits, const torch::Tensor& masks) {
  const auto t = masks.flatten(1);
  const auto errors = 1 - logits.flatten(1) * (2 * t - 1);
  const auto [falling, order] = torch::sort(errors, /*stable=*/true, /*dim=*/1, /*descending=*/true);
  const auto truth = t.gather(1, order);
  const auto all = truth.sum(1, /*keepdim=*/true);
  const auto lost = 1 - (all - truth.cumsum(1)) / (all + (1 - truth).cumsum(1));
  const auto added = torch::diff(lost, 1, 1, torch::zeros_like(all));
  return (torch::relu(falling) * added).sum(1);
}

OpenTable<NamedLoss>& table() {
  static OpenTable<NamedLoss> all("loss", {{"bce", bce},
                                           {"bce_dice", bce_dice},
                                           {"dice", dice},
                                           {"focal", focal},
                                           {"tversky", tversky},
                                           {"lovasz", lovasz}});
  return all;
}

}  // namespace

const std::vector<NamedLoss>& losses() { return table().rows(); }

void add_row(NamedLoss loss) { table().add(std::move(loss)); }

LossFunction loss_function(std::string_view name) { return row_of(losses(), "loss", name).function; }

Loss::Loss(std::vector<OfChannel> channels, double separation)
    : channels_(std::move(channels)), separation_(separation) {}

torch::Tensor Loss::operator()(const torch::Tensor& logits, const torch::Tensor& targets) const {
  const auto own = static_cast<int64_t>(channels_.size());
  PENSTOCK_CHECK(logits.size(1) % own == 0 && targets.size(1) == own + (separation_ > 0 ? 1 : 0),
                 "each channel has its loss, and the nearness of objects is there where it counts");
  if (logits.size(1) == own) return of_output(logits, targets);
  torch::Tensor sum;
  double weight = 1, weights = 0;
  for (int64_t first = 0; first < logits.size(1); first += own, weight /= 2) {
    const auto loss = of_output(logits.narrow(1, first, own), targets) * weight;
    sum = sum.defined() ? sum + loss : loss;
    weights += weight;
  }
  return sum / weights;
}

torch::Tensor Loss::of_output(const torch::Tensor& logits, const torch::Tensor& targets) const {
  torch::Tensor sum;
  for (int64_t channel = 0; channel < logits.size(1); ++channel) {
    const OfChannel& of = channels_[static_cast<size_t>(channel)];
    const auto values = logits.narrow(1, channel, 1), target = targets.narrow(1, channel, 1);
    auto loss = of.function(values, target);
    if (separation_ > 0) {
      const auto each = torch::binary_cross_entropy_with_logits(values, target, {}, {}, at::Reduction::None);
      loss = loss + separation_ * (each * targets.narrow(1, targets.size(1) - 1, 1)).mean({1, 2, 3});
    }
    if (of.weight != 1) loss = loss * of.weight;
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum;
}

}  // namespace penstock::stages
