// Parameters of eval, for its declaration and its body.
#pragma once

#include <string>
#include <vector>

#include "pipeline/parameters.h"

namespace penstock::stages {

// Of split; unlabelled samples are predicted, the others also scored.
inline const std::vector<std::string> evaluated_subsets = {"train", "validation", "test", "unlabelled"};

struct EvalParameters {
  std::vector<std::string> subsets = evaluated_subsets;
  pipeline::NumberOrWord threshold = std::string("validation");
  std::string decoder = "auto";
  pipeline::NumberOrWord seed_threshold = std::string("validation");
  pipeline::IntegerOrWord minimum_area = int64_t{0};
  std::string holes = "keep";
  std::string turns = "none";
  pipeline::IntegerOrWord tile = "crop";
  int64_t shown = 4;
  int64_t seed = 0;

  void describe(pipeline::ParameterVisitor& visit);
};

}  // namespace penstock::stages
