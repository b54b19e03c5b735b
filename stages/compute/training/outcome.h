// What a training may come to beside a good model: parameters that have no effect on it, and weights that nobody can
// use.
#pragma once

#include <string>

#include "pipeline/value.h"
#include "stages/compute/model/model_folder.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// Warns, before the first step, of rules that need validation where there is none, and of a warm-up that does not end.
void say_what_has_no_effect(const TrainParameters& parameters, const std::string& stage, bool validates);

// What is published must be the result of a training: throws Error(data) where no step of `epochs` (the rows of the
// curves) was done, or where a weight is not finite or absurdly large. The same on every rank.
void require_usable(const pipeline::Value& epochs, const Weights& weights, const TrainParameters& parameters);

}  // namespace penstock::stages
