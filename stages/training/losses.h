// The choices of train.loss. The functions are in stages/compute/step/losses.cpp; a new loss is a row here and a
// function there, and a test compares the two tables.
#pragma once

#include <string>
#include <vector>

namespace penstock::stages {

struct LossRule {
  std::string name, help;
};

const std::vector<LossRule>& loss_rules();
void add_row(LossRule rule);  // of a user's own program: compute/extensions.h

}  // namespace penstock::stages
