// Parameters of eval, for its declaration and its body.
#pragma once

#include "pipeline/parameters.h"

namespace penstock::stages {

struct EvalParameters {
  pipeline::NumberOrWord threshold = std::string("validation");
  int64_t minimum_area = 0;
  int64_t shown = 4;
  int64_t seed = 0;

  void describe(pipeline::ParameterVisitor& visit);
};

}  // namespace penstock::stages
