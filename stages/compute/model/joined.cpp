#include "stages/compute/model/joined.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstring>

namespace penstock::stages {
namespace {

// Copies `size` bytes of each of `count` pixels that are `stride` bytes apart, one after the other.
void copy_part(const uint8_t* from, uint8_t* to, int64_t count, int64_t stride, int64_t size) {
  constexpr int64_t word = 16;
  if (size % word != 0) {
    for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * size, from + i * stride, static_cast<size_t>(size));
    return;
  }
  for (int64_t i = 0; i < count; ++i, from += stride, to += size) {
    for (int64_t at = 0; at < size; at += word) std::memcpy(to + at, from + at, word);  // of a known size: no call
  }
}

class Joined final : public torch::autograd::Function<Joined> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList maps) {
    std::vector<int64_t> channels;
    for (const torch::Tensor& map : maps) channels.push_back(map.size(1));
    context->saved_data["channels"] = channels;
    return torch::cat(maps, 1);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const torch::Tensor dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t bytes = static_cast<int64_t>(dy.element_size()), pixels = dy.numel() / dy.size(1);
    const auto* from = static_cast<const uint8_t*>(dy.data_ptr());
    torch::autograd::tensor_list parts;
    for (const int64_t channels : context->saved_data["channels"].toIntVector()) {
      parts.push_back(
          torch::empty({dy.size(0), channels, dy.size(2), dy.size(3)}, dy.options(), at::MemoryFormat::ChannelsLast));
      copy_part(from, static_cast<uint8_t*>(parts.back().data_ptr()), pixels, dy.size(1) * bytes, channels * bytes);
      from += channels * bytes;
    }
    return parts;
  }
};

}  // namespace

torch::Tensor joined(const std::vector<torch::Tensor>& maps) {
  return maps.front().is_cpu() ? Joined::apply(at::TensorList(maps)) : torch::cat(maps, 1);
}

}  // namespace penstock::stages
