// A segmentation network as the training step, predict and eval use it, and the networks by name.
//
// One object per thread that runs it; its weights may be views of buffers that others share (flat_layout.h).
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "stages/compute/model/sync_norm.h"
#include "stages/training/architecture.h"

namespace penstock::stages {

class Network : public torch::nn::Module {
 public:
  // x: [N, C, H, W], float32 or the type of the weights, of a size that the architecture can halve `depth` times.
  // Returns logits [N, out_channels, H, W]; in training with side outputs those follow, scaled up to H x W, as many
  // channels each: [N, out_channels * (1 + side_outputs), H, W]. In training with dropout, draws come from `dropout`,
  // which must then be given.
  torch::Tensor operator()(torch::Tensor x, std::optional<at::Generator> dropout = std::nullopt) {
    return forward(std::move(x), std::move(dropout));
  }

  // With a norm over ranks, before training: how sums over ranks are made. Forward and backward are collective then.
  virtual void sum_over_ranks(const SumOverRanks& sum) = 0;

 protected:
  virtual torch::Tensor forward(torch::Tensor x, std::optional<at::Generator> dropout) = 0;
};

// The networks that can be built, in the order of network_rules().
struct NetworkMaker {
  std::string name;
  std::shared_ptr<Network> (*make)(const Architecture& architecture) = nullptr;
};
const std::vector<NetworkMaker>& network_makers();
void add_row(NetworkMaker maker);  // of a user's own program: compute/extensions.h

// With LibTorch's own initial weights: flat_layout.h sets them. An unknown kind or norm fails a check.
std::shared_ptr<Network> make_network(const Architecture& architecture);

}  // namespace penstock::stages
