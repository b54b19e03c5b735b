// How the decoder comes up a level.
#include "stages/compute/model/up_layer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/conv.h>

namespace penstock::stages {
namespace {

// Of sizes whose pixels fill rows of 64, of 16 and of 4.
TEST(UpLayer, InBfloat16IsLibTorchsConvolutionAndBiasToTheBit) {
  for (const auto& [count, channels, side] : {std::tuple(2, 8, 16), std::tuple(1, 16, 4), std::tuple(3, 5, 1)}) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const auto drawn = [&](at::IntArrayRef shape) {
      return torch::randn(shape, generator, torch::kFloat32).to(torch::kBFloat16);
    };
    UpLayer layer("transposed", 2 * channels, channels);
    const auto parameters = layer.module().ptr()->as<torch::nn::ConvTranspose2d>();
    parameters->to(torch::kBFloat16);
    auto x = drawn({count, 2 * channels, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
    const auto dy = drawn({count, channels, 2 * side, 2 * side}).contiguous(at::MemoryFormat::ChannelsLast);
    x.requires_grad_();
    const std::vector<torch::Tensor> inputs = {x, parameters->weight, parameters->bias};
    const auto own = layer(x),
               usual = torch::conv_transpose2d(x, parameters->weight, {}, 2) + parameters->bias.view({1, -1, 1, 1});
    EXPECT_TRUE(torch::equal(own, usual)) << channels << " channels";
    const auto own_gradients = torch::autograd::grad({own}, inputs, {dy}),
               usual_gradients = torch::autograd::grad({usual}, inputs, {dy});
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_TRUE(torch::equal(own_gradients[i], usual_gradients[i])) << channels << " channels, input " << i;
  }
}

}  // namespace
}  // namespace penstock::stages
