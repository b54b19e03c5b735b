// Feature maps one after the other.
#include "stages/compute/model/joined.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace penstock::stages {
namespace {

// Parts of whole and of broken 16 bytes, two and three of them.
TEST(Joined, IsLibTorchsCatAndItsGradients) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    for (const std::vector<int64_t>& channels : {std::vector<int64_t>{8, 8}, {16, 4, 3}, {1, 2}}) {
      const auto drawn = [&](int64_t count) {
        return torch::randn({2, count, 6, 10}, generator, torch::kFloat32)
            .to(type)
            .contiguous(at::MemoryFormat::ChannelsLast);
      };
      std::vector<torch::Tensor> maps;
      int64_t all = 0;
      for (const int64_t count : channels) maps.push_back(drawn(count).requires_grad_()), all += count;
      const auto dy = drawn(all);
      const auto own = joined(maps), usual = torch::cat(maps, 1);
      EXPECT_TRUE(torch::equal(own, usual));
      const auto own_gradients = torch::autograd::grad({own}, maps, {dy}),
                 usual_gradients = torch::autograd::grad({usual}, maps, {dy});
      for (size_t i = 0; i < maps.size(); ++i) EXPECT_TRUE(torch::equal(own_gradients[i], usual_gradients[i])) << i;
      // What does not come as channels last, as of a loss of its own, is brought into that form.
      const auto rows = torch::autograd::grad({joined(maps)}, maps, {dy.contiguous()});
      for (size_t i = 0; i < maps.size(); ++i) EXPECT_TRUE(torch::equal(rows[i], usual_gradients[i])) << i;
    }
  }
}

}  // namespace
}  // namespace penstock::stages
