// The bodies that libpenstock_compute.so holds, one function per heavy stage kind.
#pragma once

#include <memory>

#include "pipeline/stage.h"
#include "stages/predict.h"

namespace penstock::stages {

std::unique_ptr<pipeline::StageBody> resize_body();
std::unique_ptr<pipeline::StageBody> shard_body();
std::unique_ptr<pipeline::StageBody> train_body();
std::unique_ptr<pipeline::StageBody> eval_body();
void predict(const PredictRequest& request, distributed::Communicator& ranks, int threads);

}  // namespace penstock::stages
