// The choices of train.norm: what each one means for the plan, the training step and the network. Pure. The layers are
// in stages/compute/model/norm_layer.cpp; a new norm is a row here and one there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct NormRule {
  std::string name, help;
  bool is_layer = true;             // false: convolutions have a bias instead
  bool running_statistics = false;  // a mean and a variance per channel are kept for inference
  bool over_ranks = false;          // one norm sees the global batch: forward and backward are collective

  // Its statistics in training are those of one micro-batch, so too small a one makes them noise.
  bool over_micro_batch() const { return running_statistics && !over_ranks; }
};

const std::vector<NormRule>& norm_rules();
const NormRule& norm_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
