// Parameters of resize, for its declaration and its body.
#pragma once

#include "pipeline/parameters.h"

namespace penstock::stages {

struct ResizeParameters {
  int64_t width = 128;
  int64_t height = 128;
  int64_t channels = 3;
  double mask_coverage = 0.5;
  std::string masks = "auto";
  std::vector<std::string> exclude;

  void describe(pipeline::ParameterVisitor& visit);
};

}  // namespace penstock::stages
