// The network's shape as arithmetic: what it holds and computes, without LibTorch. Pure. Plans, reports and the layout
// of gradients use it; stages/compute/model/network.h builds the same network, and a test compares the two.
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
  std::string norm = "batch";  // a name in norms.h
  double dropout = 0;
  std::string kind = "unet";              // a name in network_rules()
  int64_t out_channels = 1;               // one a target
  std::string upsampling = "transposed";  // a name in upsamplings.h
  // Deep supervision (Lee et al. 2015, arXiv:1409.5185): outputs of as many decoder levels below the first, or columns
  // before the last where it is nested, that training learns too. Below `depth`; nothing else reads them.
  int64_t side_outputs = 0;

  bool operator==(const Architecture&) const = default;
};
pipeline::Value to_json(const Architecture& architecture);
// Throws Error(data) where a name is none of ours, Value::exception where a field is missing.
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
  int64_t column = 0;                           // of a nested decoder's node (unet_layers.h), else 0

  int64_t parameters() const;
  int64_t values() const { return channels * height * width; }
};

// The networks by name. A new one: a row here, with a file of its layers, and one in stages/compute/model/network.cpp.
struct NetworkRule {
  std::string name, help;
  std::vector<Layer> (*layers)(const Architecture& architecture, int64_t height, int64_t width) = nullptr;
};
const std::vector<NetworkRule>& network_rules();
void add_row(NetworkRule rule);  // of a user's own program: compute/extensions.h

// In the order of forward, which is the order of the parameters in flat buffers. An unknown kind fails a check.
std::vector<Layer> layers_of(const Architecture& architecture, int64_t height, int64_t width);

// The lengths of all parameters in that order, and the number of floats of running statistics.
std::vector<size_t> parameter_slots(const std::vector<Layer>& layers);
int64_t statistic_count(const std::vector<Layer>& layers);

// The layer table of the report: {"schema", "input", "parameters", "flops", "layers": [...]} (FORMATS.md).
pipeline::Value describe_layers(const Architecture& architecture, int64_t height, int64_t width);

}  // namespace penstock::stages
