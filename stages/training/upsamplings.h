// The choices of train.upsampling: how the decoder comes up a level, from twice the channels at half the size. Pure.
// The layers are in stages/compute/model/up_layer.cpp; a new way is a row here and a case there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct UpsamplingRule {
  std::string name, help;
  std::string layer;          // what the layer table calls it
  int64_t taps = 1;           // of its convolution's kernel
  bool interpolates = false;  // behind its convolution, which is made at half the size
};

const std::vector<UpsamplingRule>& upsampling_rules();
const UpsamplingRule& upsampling_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
