// The U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as used in this field: two 3x3 convolutions with norm and ReLU
// a block, max-pooling down, transposed convolutions up, skip connections by concatenation, 1x1 output. Its blocks may
// be residual (Zhang et al. 2018, arXiv:1711.10684), its skip connections gated (Oktay et al. 2018, arXiv:1804.03999),
// its decoder nested (U-Net++, Zhou et al. 2018, arXiv:1807.10165).
// Made by make_network() (network.h), which says who may call it.
#pragma once

#include <torch/nn/modules/conv.h>

#include <memory>
#include <string>
#include <vector>

#include "stages/compute/model/network.h"
#include "stages/compute/model/norm_layer.h"
#include "stages/compute/model/up_layer.h"
#include "stages/training/unet_layers.h"

namespace penstock::stages {

class UNet final : public Network {
 public:
  UNet(const Architecture& architecture, const UNetStyle& style);

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
    torch::nn::Conv2d beside{nullptr};  // of a residual one
  };
  // Of a skip connection.
  struct Gate {
    torch::nn::Conv2d skip{nullptr}, up{nullptr}, weight{nullptr};
  };
  Block make_block(const std::string& name, int64_t in, int64_t out);
  Half make_half(const std::string& name, int number, int64_t in, int64_t out);
  Gate make_gate(int64_t level, int64_t channels);
  torch::nn::Conv2d make_pointwise(const std::string& name, int64_t in, int64_t out, bool bias);
  static torch::Tensor gated(Gate& gate, const torch::Tensor& skip, const torch::Tensor& up);
  torch::Tensor run(Block& block, torch::Tensor x, std::optional<at::Generator>& dropout);
  torch::Tensor with_sides(torch::Tensor logits, const std::vector<std::vector<torch::Tensor>>& done);

  const Architecture architecture_;
  const UNetStyle style_;
  std::vector<Block> down_;
  Block bottom_;
  // Of each node of the decoder, in the order of forward.
  const std::vector<DecoderNode> nodes_;
  std::vector<UpLayer> up_;
  std::vector<Gate> gates_;
  std::vector<Block> joined_;
  torch::nn::Conv2d output_{nullptr};
  std::vector<torch::nn::Conv2d> sides_;
};

}  // namespace penstock::stages
