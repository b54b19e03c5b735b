// The U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as used in this field: two 3x3 convolutions with norm and ReLU
// a block, max-pooling down, transposed convolutions up, skip connections by concatenation, 1x1 output. Made by
// make_network() (network.h), which says who may call it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stages/compute/model/network.h"
#include "stages/compute/model/norm_layer.h"

namespace penstock::stages {

class UNet final : public Network {
 public:
  explicit UNet(const Architecture& architecture);

  void sum_over_ranks(const SumOverRanks& sum) override;

 protected:
  torch::Tensor forward(torch::Tensor x, std::optional<at::Generator> dropout) override;

 private:
  // A convolution, and its norm where the architecture has one.
  struct Half {
    torch::nn::Conv2d convolution{nullptr};
    std::shared_ptr<NormLayer> norm;
  };
  struct Block {
    Half first, second;
  };
  Block make_block(const std::string& name, int64_t in, int64_t out);
  Half make_half(const std::string& name, int number, int64_t in, int64_t out);
  torch::Tensor run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout);

  Architecture architecture_;
  std::vector<Block> down_;
  Block bottom_;
  std::vector<torch::nn::ConvTranspose2d> up_;
  std::vector<Block> joined_;
  torch::nn::Conv2d output_{nullptr};
};

}  // namespace penstock::stages
