// Parameters of resize, for its declaration and its body.
#pragma once

#include "pipeline/parameters.h"

namespace penstock::stages {

struct ResizeParameters {
  int64_t width = 128;
  int64_t height = 128;
  int64_t channels = 3;
  double mask_coverage = 0.5;
  std::string mode = "squash";
  double scale = 1;
  double object_diameter = 0;
  std::vector<std::string> exclude;

  void describe(pipeline::ParameterVisitor& visit);
  bool scales() const { return scale != 1 || object_diameter > 0; }  // where samples keep their own size
};

}  // namespace penstock::stages
