// Batch norm and ReLU in one pass, against PyTorch's own in float64.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "stages/compute/model/norm_relu.h"

namespace penstock::stages {
namespace {

struct Results {
  torch::Tensor y, dx, d_weight, d_bias, mean, variance;
};

template <typename Layer>
Results run(const torch::Tensor& x0, const torch::Tensor& weight0, const torch::Tensor& bias0, const torch::Tensor& dy,
            torch::ScalarType type, Layer&& layer) {
  const auto leaf = [type](const torch::Tensor& tensor) {
    return tensor.to(type)
        .detach()
        .clone(tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous)
        .requires_grad_();
  };
  auto x = leaf(x0), weight = leaf(weight0), bias = leaf(bias0);
  auto mean = torch::zeros({x.size(1)}, type), variance = torch::ones({x.size(1)}, type);
  auto y = layer(x, weight, bias, mean, variance);
  y.backward(dy.to(type));
  return {y.detach(), x.grad(), weight.grad(), bias.grad(), mean, variance};
}

void expect_near(const torch::Tensor& one, const torch::Tensor& other, const char* what) {
  const double apart = (one.to(torch::kFloat64) - other).abs().max().item<double>(),
               scale = other.abs().max().item<double>();
  EXPECT_LE(apart, 2e-6 * scale + 1e-9) << what;
}

class NormReluOf : public testing::TestWithParam<std::vector<int64_t>> {};

TEST_P(NormReluOf, EqualsBatchNormAndReluToRounding) {
  torch::manual_seed(5);
  const auto& shape = GetParam();
  const auto x = torch::randn(shape) * 3 + 1, dy = torch::randn(shape);
  const auto weight = torch::randn({shape[1]}) + 1, bias = torch::randn({shape[1]});
  const Results ours = run(
      x, weight, bias, dy, torch::kFloat32,
      [](auto& input, auto& w, auto& b, auto& mean, auto& variance) { return norm_relu(input, w, b, mean, variance); });
  const Results exact =
      run(x, weight, bias, dy, torch::kFloat64, [](auto& input, auto& w, auto& b, auto& mean, auto& variance) {
        return torch::batch_norm(input, w, b, mean, variance, true, 1.0, 1e-5, false).relu();
      });
  expect_near(ours.y, exact.y, "y");
  expect_near(ours.d_weight, exact.d_weight, "the weight's gradient");
  expect_near(ours.d_bias, exact.d_bias, "the bias's gradient");
  expect_near(ours.mean, exact.mean, "the mean");
  expect_near(ours.variance, exact.variance, "the variance");
  // A value that rounding takes to the other side of zero has another gradient: at most a few of them.
  const auto apart = (ours.dx.to(torch::kFloat64) - exact.dx).abs() > 2e-5;
  EXPECT_LE(apart.sum().item<int64_t>(), 2);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormReluOf,
                         testing::Values(std::vector<int64_t>{4, 16, 64, 64}, std::vector<int64_t>{1, 3, 5, 7},
                                         std::vector<int64_t>{2, 8, 1, 1}, std::vector<int64_t>{3, 2, 128, 72},
                                         std::vector<int64_t>{2, 96, 9, 5}, std::vector<int64_t>{5, 24, 17, 3}));

TEST_P(NormReluOf, OfBfloat16RoundsWhatTheFloat32LayerGives) {
  torch::manual_seed(6);
  const auto& shape = GetParam();
  const auto at = [](const torch::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); };
  const auto x = at(torch::randn(shape).to(torch::kBFloat16)), dy = at(torch::randn(shape).to(torch::kBFloat16));
  const auto weight = torch::randn({shape[1]}) + 1, bias = torch::randn({shape[1]});
  const auto run_in = [&](torch::ScalarType type) {
    auto leaf = x.to(type).detach().requires_grad_();
    auto w = weight.clone().requires_grad_(), b = bias.clone().requires_grad_();
    auto mean = torch::zeros({shape[1]}), variance = torch::ones({shape[1]});
    auto y = norm_relu(leaf, w, b, mean, variance);
    y.backward(dy.to(type));
    return Results{y.detach(), leaf.grad(), w.grad(), b.grad(), mean, variance};
  };
  const Results low = run_in(torch::kBFloat16), full = run_in(torch::kFloat32);
  EXPECT_EQ(low.y.scalar_type(), torch::kBFloat16);
  // A bfloat16 has 8 binary digits; of float32 sums the last digits may differ between the two loops.
  EXPECT_TRUE(torch::allclose(low.y.to(torch::kFloat32), full.y, 1.0 / 256, 1e-6));
  EXPECT_TRUE(torch::allclose(low.dx.to(torch::kFloat32), full.dx, 1.0 / 256, 1e-6));
  EXPECT_TRUE(torch::allclose(low.d_weight, full.d_weight, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(low.d_bias, full.d_bias, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(low.mean, full.mean, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(low.variance, full.variance, 1e-5, 1e-6));
}

// Values far from zero: a sum of squares alone would lose the variance.
TEST(NormRelu, KeepsItsDigitsFarFromZero) {
  torch::manual_seed(11);
  const auto x = torch::randn({4, 16, 32, 32}) + 1000, weight = torch::ones({16}), bias = torch::zeros({16});
  auto mean = torch::zeros({16}), variance = torch::zeros({16});
  norm_relu(x.contiguous(at::MemoryFormat::ChannelsLast), weight, bias, mean, variance);
  EXPECT_TRUE(torch::allclose(variance.to(torch::kFloat64), x.to(torch::kFloat64).var({0, 2, 3}), 1e-4));
}

TEST(NormRelu, GivesTheSameBitsAgain) {
  torch::manual_seed(7);
  const auto x = torch::randn({2, 4, 33, 31}), dy = torch::randn({2, 4, 33, 31}), weight = torch::ones({4}),
             bias = torch::zeros({4});
  const auto once = [&] {
    return run(x, weight, bias, dy, torch::kFloat32, [](auto& input, auto& w, auto& b, auto& mean, auto& variance) {
      return norm_relu(input, w, b, mean, variance);
    });
  };
  const Results first = once(), second = once();
  EXPECT_TRUE(first.y.equal(second.y));
  EXPECT_TRUE(first.dx.equal(second.dx));
}

TEST(NormRelu, RefusesASingleValueAChannel) {
  EXPECT_ANY_THROW(norm_relu(torch::zeros({1, 4, 1, 1}).contiguous(at::MemoryFormat::ChannelsLast), torch::ones({4}),
                             torch::zeros({4}), torch::zeros({4}), torch::ones({4})));
}

}  // namespace
}  // namespace penstock::stages
