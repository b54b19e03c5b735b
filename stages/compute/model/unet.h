// The U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as used in this field: two 3x3 convolutions with norm and ReLU
// a block, max-pooling down, transposed convolutions up, skip connections by concatenation, 1x1 output.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>
#include <vector>

#include "stages/compute/model/sync_norm.h"
#include "stages/training/architecture.h"

namespace penstock::stages {

class UNetImpl final : public torch::nn::Module {
 public:
  explicit UNetImpl(const Architecture& architecture);

  // x: [N, C, H, W] float32, H and W divisible by 2^depth. Returns logits [N, 1, H, W]. In training with dropout, draws
  // come from `dropout`, which must then be given.
  torch::Tensor forward(torch::Tensor x, std::optional<at::Generator> dropout = std::nullopt);

  // For norm = "sync", before training: how sums over ranks are made. Forward and backward are collective then.
  void sum_over_ranks(SumOverRanks sum) { sum_ = std::move(sum); }

 private:
  struct Block {
    torch::nn::Conv2d first{nullptr}, second{nullptr};
    torch::nn::BatchNorm2d first_batch{nullptr}, second_batch{nullptr};
    torch::nn::GroupNorm first_group{nullptr}, second_group{nullptr};
  };
  Block make_block(const std::string& name, int64_t in, int64_t out);
  torch::Tensor run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout);

  torch::Tensor normed_relu(torch::nn::BatchNorm2d& batch, torch::nn::GroupNorm& group, const torch::Tensor& x);

  Architecture architecture_;
  SumOverRanks sum_;
  std::vector<Block> down_;
  Block bottom_;
  std::vector<torch::nn::ConvTranspose2d> up_;
  std::vector<Block> joined_;
  torch::nn::Conv2d output_{nullptr};
};
TORCH_MODULE(UNet);

// Where a model's parameters, and its running statistics, lie in flat buffers: in the order of named_parameters and of
// those named_buffers that are float.
struct FlatLayout {
  struct Slot {
    std::string name;
    std::vector<int64_t> shape;
    int64_t offset = 0;
    int64_t count = 0;
  };
  std::vector<Slot> parameters;
  std::vector<Slot> statistics;
  int64_t parameter_count = 0;
  int64_t statistic_count = 0;
};
FlatLayout layout_of(const UNet& model);

// Makes the model's parameters and running statistics views of flat buffers, which must outlive it.
void alias(UNet& model, const FlatLayout& layout, float* parameters, float* statistics);

// He initialisation (He et al. 2015, arXiv:1502.01852): normal with variance 2 / fan_in; norms 1, biases 0; running
// means 0, variances 1. Draws hang on the seed and the parameter's place alone.
void initialise(const FlatLayout& layout, int64_t seed, std::vector<float>& parameters, std::vector<float>& statistics);

}  // namespace penstock::stages
