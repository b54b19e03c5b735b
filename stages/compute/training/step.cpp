#include "stages/compute/training/step.h"

#include <malloc.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace penstock::stages {
namespace {

class TakeGradient final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit TakeGradient(std::function<void(const torch::Tensor&)> take) : take_(std::move(take)) {}
  void operator()(const torch::Tensor& parameter) override {
    take_(parameter.grad());
    parameter.mutable_grad().reset();
  }

 private:
  std::function<void(const torch::Tensor&)> take_;
};

}  // namespace

// glibc would give every activation back to the system and fault it in again at the next step. Its limits: 32 MiB for
// the first, and other arenas than the first give whole heaps back whatever the third says.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, -1);
}

torch::Tensor loss_of(const std::string& loss, const torch::Tensor& logits, const torch::Tensor& masks) {
  const auto bce = torch::binary_cross_entropy_with_logits(logits, masks, {}, {}, at::Reduction::None).mean({1, 2, 3});
  if (loss == "bce") return bce;
  const auto p = torch::sigmoid(logits);
  const auto dice = (2 * (p * masks).sum({1, 2, 3}) + 1) / (p.sum({1, 2, 3}) + masks.sum({1, 2, 3}) + 1);
  return bce + 1 - dice;
}

Figures validation_figures(distributed::Communicator& ranks, int64_t count, int64_t micro_batch,
                           const std::function<void(int, const std::function<void(int, int)>&)>& run,
                           const std::function<void(int, int64_t, int64_t, double*)>& batch) {
  const auto batches = static_cast<int>((count + micro_batch - 1) / micro_batch);
  // One row a micro-batch, each filled by one rank: adding zeros is exact, so the sum below is the same for any rank
  // count.
  std::vector<double> rows(static_cast<size_t>(batches) * 5);
  const auto [first, last] = distributed::micro_shards_of(ranks.rank(), ranks.size(), batches);
  run(last - first, [&, first = first](int worker, int item) {
    const int64_t begin = int64_t{first + item} * micro_batch;
    batch(worker, begin, std::min(micro_batch, count - begin), &rows[static_cast<size_t>(first + item) * 5]);
  });
  ranks.all_reduce(distributed::buffer_of(rows.data(), rows.size()), "validation figures");
  Figures figures;
  const auto samples = static_cast<double>(count);
  for (int index = 0; index < batches; ++index) {
    const double* row = &rows[static_cast<size_t>(index) * 5];
    figures.loss += row[0] / samples;
    figures.tp += row[1] / samples, figures.fp += row[2] / samples, figures.fn += row[3] / samples,
        figures.tn += row[4] / samples;
  }
  return figures;
}

void take_gradients(torch::Tensor parameter, std::function<void(const torch::Tensor&)> take) {
  torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<TakeGradient>(std::move(take)));
}

}  // namespace penstock::stages
