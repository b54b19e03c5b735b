// Batch norm over the whole global batch, however ranks share it: norm = "sync". Called by the thread that runs the
// network, on every rank.
#pragma once

#include <torch/types.h>

#include <functional>

namespace penstock::stages {

// Collective. Adds `count` doubles over all ranks, in place.
using SumOverRanks = std::function<void(double* values, size_t count)>;

// x: [N, C, H, W] float32 or bfloat16 of this rank, N at least 1; weight, bias: [C] float32. The mean and (biased)
// variance of each channel are those of all ranks' values together; `running_mean` and `running_var` [C] are set to
// them (the variance unbiased), as a batch norm of momentum 1 does. Collective in forward and in backward: every rank
// runs the same layers in the same order. Ioffe and Szegedy 2015, arXiv:1502.03167; sums in float64.
torch::Tensor sync_batch_norm(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                              torch::Tensor running_mean, torch::Tensor running_var, const SumOverRanks& sum);

}  // namespace penstock::stages
