#include "stages/compute_library.h"

#include <spdlog/spdlog.h>

#include "distributed/check.h"
#include "distributed/opened_library.h"
#include "stages/cuda_library.h"

namespace penstock::stages {

namespace {

// LibTorch looks for CUDA once, at its first convolution or backward, and a process in which it found none stays
// without. Why CUDA cannot be opened is reported when a training requests a GPU.
void open_cuda_first() {
  if (!gpus_are_likely()) return;
  try {
    cuda_library();
  } catch (const Error& error) {
    spdlog::debug("{}", error.what());
  }
}

const ComputeLibrary& open() {
  open_cuda_first();
  using Entry = const ComputeLibrary& (*)();
  return reinterpret_cast<Entry>(
      distributed::open_library_symbol("libpenstock_compute.so", "penstock_compute_library"))();
}

}  // namespace

const ComputeLibrary& compute_library() {
  static const ComputeLibrary& library = open();
  return library;
}

std::unique_ptr<pipeline::StageBody> compute_body(std::string_view kind) {
  auto body = compute_library().body(kind);
  PENSTOCK_CHECK(body != nullptr, "every heavy stage kind has a body in libpenstock_compute.so");
  return body;
}

}  // namespace penstock::stages
