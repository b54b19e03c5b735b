#include "stages/compute/bench.h"
#include "stages/compute/bodies.h"
#include "stages/compute/device_checks.h"
#include "stages/compute/library_checks.h"
#include "stages/compute_library.h"

namespace penstock::stages {
namespace {

std::unique_ptr<pipeline::StageBody> body(std::string_view kind) {
  if (kind == "resize") return resize_body();
  if (kind == "shard") return shard_body();
  if (kind == "train") return train_body();
  if (kind == "ensemble") return ensemble_body();
  if (kind == "eval") return eval_body();
  return nullptr;
}

}  // namespace
}  // namespace penstock::stages

extern "C" __attribute__((visibility("default"))) const penstock::stages::ComputeLibrary& penstock_compute_library() {
  static const penstock::stages::ComputeLibrary library{
      penstock::stages::body,  penstock::stages::predict,         penstock::stages::survey,    penstock::stages::replay,
      penstock::stages::bench, penstock::stages::check_libraries, penstock::stages::check_gpus};
  return library;
}
