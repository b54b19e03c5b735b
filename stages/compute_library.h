// Opens libpenstock_compute.so, which holds everything that needs LibTorch, HDF5 or OpenCV. It is opened when the first
// of its bodies must run, never before: a plan of cached stages does not pay the 0.3 s that opening takes. Any thread
// may call; the library stays open.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/stage.h"
#include "stages/bench.h"
#include "stages/finding.h"
#include "stages/predict.h"
#include "stages/survey.h"

namespace penstock::stages {

// The library's one exported symbol, `penstock_compute_library`, is a function that returns this.
struct ComputeLibrary {
  std::unique_ptr<pipeline::StageBody> (*body)(std::string_view kind);
  void (*predict)(const PredictRequest& request, distributed::Communicator& ranks, int threads);
  pipeline::Value (*survey)(const SurveyRequest& request);                // survey.h
  std::string (*replay)(pipeline::StageContext& context, int64_t until);  // bodies.h
  pipeline::Value (*bench)(const BenchRequest& request, distributed::Communicator& ranks, int threads);
  std::vector<Finding> (*check_libraries)(const std::filesystem::path& folder);    // compute/library_checks.h
  std::vector<Finding> (*check_gpus)(distributed::Communicator& ranks, bool any);  // compute/device_checks.h
};

const ComputeLibrary& compute_library();

// For StageKind::body of a heavy kind: opens the library when called.
std::unique_ptr<pipeline::StageBody> compute_body(std::string_view kind);

}  // namespace penstock::stages
