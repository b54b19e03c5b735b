// Batch norm and ReLU of one micro-batch together, for training on the CPU: these layers are bound by memory, not by
// arithmetic, and as separate layers they pass over it about twice as often. Any thread may call.
#pragma once

#include <torch/types.h>

namespace penstock::stages {

inline constexpr double norm_epsilon = 1e-5;  // added to variances; PyTorch's batch norm's

// x: [N, C, H, W] float32 or bfloat16 on the CPU, channels last in memory; weight, bias: [C] float32. Returns
// max(0, batch_norm(x)) in the type of x, differentiable in x, weight and bias; the arithmetic is float32's.
// `running_mean` and `running_var` [C] are set to the batch's own mean and unbiased variance, as a batch norm of
// momentum 1 does. Ioffe and Szegedy 2015, arXiv:1502.03167; the variance from deviations from a first guess of the
// mean (Chan, Golub and LeVeque 1983, The American Statistician 37, 242-247); sums in float32 over 256 values at most,
// then in float64. One thread; the same bits on the same type of processor.
torch::Tensor norm_relu(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                        torch::Tensor running_mean, torch::Tensor running_var);

}  // namespace penstock::stages
