// The parameters of `penstock bench`, from launch to its body in stages/compute.
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
  int64_t steps = 20;  // that are measured, after a warm-up
  // For "train": "", reducer, world, overlap or graph: two variants, alternating step by step.
  std::string compare = {};
  // As train's parameters; every comparison but "graph" runs the CPU's step.
  std::string device = "auto", precision = "fp32";
};

}  // namespace penstock::stages
