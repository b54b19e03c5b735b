// A network's parameters and running statistics as flat buffers: the form in which they are summed, updated and saved.
// Pure except alias(), which changes its network. Any thread may call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stages/compute/model/network.h"

namespace penstock::stages {

// Where each tensor lies: parameters in the order of named_parameters, statistics in that of the float named_buffers.
struct FlatLayout {
  struct Slot {
    std::string name;
    std::vector<int64_t> shape;
    int64_t offset = 0;  // in floats
    int64_t count = 0;
    // From the module that owns the tensor.
    double fan_in = 0;           // values that an output value sums up; 0: `start` is its initial value
    float start = 0;             // initial value of all elements
    bool keeps_float32 = false;  // also where the network works in bfloat16: its kernels want it so
  };
  std::vector<Slot> parameters;
  std::vector<Slot> statistics;
  int64_t parameter_count = 0;
  int64_t statistic_count = 0;
};
FlatLayout layout_of(const Network& network);

// Whether a tensor is of the encoder: the blocks of the way down, and the one at the bottom.
bool is_of_encoder(const FlatLayout::Slot& slot);
// How many parameters are of the encoder. They are the first ones.
size_t encoder_parameters(const FlatLayout& layout);

// Makes the network's parameters and running statistics views of flat buffers, which must outlive it. With `rounded`, a
// buffer of parameter_count values of bfloat16, parameters are views of that, but for those that keep float32. The
// layout must be of a network of the same architecture; another fails a check.
void alias(Network& network, const FlatLayout& layout, float* parameters, float* statistics,
           at::BFloat16* rounded = nullptr);

// He initialisation (He et al. 2015, arXiv:1502.01852): normal with variance 2 / fan_in; norms 1, biases 0; running
// means 0, variances 1. Draws depend on the seed and the parameter's place alone.
void initialise(const FlatLayout& layout, int64_t seed, std::vector<float>& parameters, std::vector<float>& statistics);

}  // namespace penstock::stages
