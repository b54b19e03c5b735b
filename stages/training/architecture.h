// The network's shape as arithmetic: what it has to hold and to compute, without LibTorch. For plans, reports and the
// layout of gradients; compute/unet.h builds the same network, and a test compares the two.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

struct Architecture {
  int64_t in_channels = 3;
  int64_t base_channels = 16;
  int64_t depth = 4;
  std::string norm = "batch";  // batch, sync (in training over all ranks), group, none
  double dropout = 0;

  bool operator==(const Architecture&) const = default;
};
pipeline::Value to_json(const Architecture& architecture);
Architecture architecture_from_json(const pipeline::Value& json);

// One row of the layer table: a convolution, or a norm with the ReLU behind it. Of one image.
struct Layer {
  std::string name;  // as its module: "down0_conv1"
  std::string kind;
  int64_t level = 0;                            // 0: full size
  std::string side;                             // encoder, bottleneck, decoder, output
  int64_t channels = 0, height = 0, width = 0;  // of its output
  std::vector<int64_t> slots;                   // lengths of its parameters (weight, bias), as they lie in flat buffers
  int64_t statistics = 0;                       // floats of running statistics
  int64_t flops = 0;                            // forward; a multiply-add counts as two

  int64_t parameters() const;
  int64_t values() const { return channels * height * width; }
};

// In the order of forward, which is the order of the parameters in flat buffers.
std::vector<Layer> layers_of(const Architecture& architecture, int64_t height, int64_t width);

// The lengths of all parameters in that order, and how many floats of running statistics there are.
std::vector<size_t> parameter_slots(const std::vector<Layer>& layers);
int64_t statistic_count(const std::vector<Layer>& layers);

// The layer table of the report: {"schema", "input", "parameters", "flops", "layers": [...]} (FORMATS.md).
pipeline::Value describe_layers(const Architecture& architecture, int64_t height, int64_t width);

}  // namespace penstock::stages
