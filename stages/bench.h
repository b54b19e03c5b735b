// What `penstock bench` asks for.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::stages {

struct BenchRequest {
  std::string what;  // train, reduce
  int64_t base_channels = 16;
  int64_t depth = 4;
  int64_t channels = 3;  // of an image
  std::string norm = "batch";
  int64_t size = 128;  // pixels, width and height
  int64_t global_batch = 16;
  int64_t micro_batch = 4;
  int64_t steps = 20;        // measured, after some that are not
  std::string compare = {};  // train: "", reducer, world, overlap, graph: two ways, step by step in turn
  std::string device = "auto", precision = "fp32";  // as train's; comparisons but that of graph are of the CPU's step
};

}  // namespace penstock::stages
