// How the decoder comes up a level (stages/training/upsamplings.h).
#pragma once

#include <torch/nn/modules/container/any.h>
#include <torch/types.h>

#include <string_view>

namespace penstock::stages {

class UpLayer {
 public:
  // The module of this name (upsamplings.h), from `in` to `out` channels; it is not registered yet.
  UpLayer(std::string_view name, int64_t in, int64_t out);

  torch::nn::AnyModule module() const { return module_; }
  torch::Tensor operator()(const torch::Tensor& x);  // [N, in, H, W] -> [N, out, 2 H, 2 W]

 private:
  torch::nn::AnyModule module_;
  bool interpolates_ = false;
};

// Bilinear interpolation to twice the size, pixels being squares: each new pixel is 3/4 of the pixel that it lies in
// and 1/4 of the nearest neighbour, in each direction; at the edges that is the pixel itself. Of slices and sums, whose
// gradients are the same bits on every device (torch::upsample_bilinear2d's are not on GPUs).
torch::Tensor doubled(const torch::Tensor& x);  // [N, C, H, W] -> [N, C, 2 H, 2 W]

}  // namespace penstock::stages
