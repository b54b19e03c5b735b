// What a decoder's block is given: the feature maps of its level and what comes up, one after the other.
#pragma once

#include <torch/types.h>

#include <vector>

namespace penstock::stages {

// maps: each [N, C_i, H, W] of one type -> [N, sum of C_i, H, W], differentiable. As torch::cat along the channels;
// on the CPU, with channels last, the gradients of the parts are not views of that of the whole, since adding to such a
// view goes pixel by pixel.
torch::Tensor joined(const std::vector<torch::Tensor>& maps);

}  // namespace penstock::stages
