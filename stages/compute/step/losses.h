// The losses of training, by the names of stages/training/losses.h. Any thread may call. Of one sample with logits z,
// p = sigmoid(z) and mask t in {0, 1}, sums over its n pixels:
//   bce       sum (-t log p - (1 - t) log(1 - p)) / n
//   dice      1 - (2 sum pt + 1) / (sum p + sum t + 1): Milletari et al. 2016, arXiv:1606.04797; the 1 above and below
//             lets two empty masks agree
//   bce_dice  bce + dice
//   focal     sum (1 - q)^2 (-log q) / n, q = p where t = 1, else 1 - p: Lin et al. 2017, arXiv:1708.02002, gamma = 2
//   tversky   1 - (a + 1) / (a + 0.3 sum p(1 - t) + 0.7 sum (1 - p)t + 1), a = sum pt: Salehi et al. 2017,
//             arXiv:1706.05721, alpha = 0.3 and beta = 0.7
//   lovasz    sum max(0, e_i) (J_i - J_(i-1)) over the pixels by falling error e = 1 - z (2t - 1), equal ones in their
//             order; J_i = 1 - IoU if the first i pixels were wrong and the others right: Berman et al. 2018,
//             arXiv:1705.08790
// All are of operations that a CUDA graph records: none of them waits for a value.
#pragma once

#include <torch/types.h>

#include <string>
#include <string_view>
#include <utility>
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
void add_row(NamedLoss loss);  // of a user's own program: compute/extensions.h

LossFunction loss_function(std::string_view name);  // fails a check where there is none of that name

// The loss of a network with one channel a target: the sum over its channels, each with its own loss and weight.
// targets: [N, K, H, W], logits: [N, K, H, W] -> [N]. With a separation weight, targets have one channel more. Logits
// [N, K (1 + S), H, W] are those and S side outputs (Network), which are losses too: the mean over all, each with half
// the weight of the one before it, as nnU-Net has it (Isensee et al. 2021).
class Loss {
 public:
  struct OfChannel {
    LossFunction function = nullptr;
    double weight = 1;
  };
  // `separation`: w0 of the U-Net paper's border weights (Ronneberger et al. 2015, arXiv:1505.04597, equation 2): each
  // channel's loss is joined by its cross-entropy times w0 times the nearness of objects, the last channel of the
  // targets, so that with "bce" it is the weighted mean of 1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2)). 0: none.
  explicit Loss(std::vector<OfChannel> channels, double separation = 0);
  torch::Tensor operator()(const torch::Tensor& logits, const torch::Tensor& targets) const;

 private:
  torch::Tensor of_output(const torch::Tensor& logits, const torch::Tensor& targets) const;

  std::vector<OfChannel> channels_;
  double separation_;
};

}  // namespace penstock::stages
