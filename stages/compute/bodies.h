// The bodies that libpenstock_compute.so holds, one function per heavy stage kind. Called by library.cpp only.
#pragma once

#include <memory>
#include <string>

#include "pipeline/stage.h"
#include "stages/predict.h"

namespace penstock::stages {

std::unique_ptr<pipeline::StageBody> resize_body();
std::unique_ptr<pipeline::StageBody> shard_body();
std::unique_ptr<pipeline::StageBody> train_body();
std::unique_ptr<pipeline::StageBody> ensemble_body();
std::unique_ptr<pipeline::StageBody> eval_body();
// Collective. Trains from the newest checkpoint in context.progress to `until` finished steps, publishing and saving
// nothing. Returns the digest of the weights, as a checkpoint's manifest holds it.
std::string replay(pipeline::StageContext& context, int64_t until);
void predict(const PredictRequest& request, distributed::Communicator& ranks, int threads);

}  // namespace penstock::stages
