// Opens libpenstock_cuda.so, which holds everything that needs CUDA: NCCL, kernels, the device of a training step. It
// is opened for a training on a GPU and for `penstock doctor --gpu`; a build without a CUDA toolkit has no such
// library. Functions marked "Collective" are called by every rank, in the same order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "stages/finding.h"

namespace penstock::stages {

class StepDevice;  // compute/step/step_device.h

// The library's one exported symbol, `penstock_cuda_library`, is a function that returns this.
struct CudaLibrary {
  int (*devices)();  // that this process may use; 0 without a driver
  // Collective. This rank's GPU, chosen by its place among the ranks of its machine. Throws Error(environment) on every
  // rank.
  std::unique_ptr<StepDevice> (*open_device)(distributed::Communicator& ranks);
  // Collective. The checks of the device that do not need a training step.
  std::vector<Finding> (*examine)(distributed::Communicator& ranks);
};

// Opens the library. Throws Error(environment) that says what to install when there is none.
const CudaLibrary& cuda_library();

// Whether there is a library and a driver, so that opening it (seconds) is worth it.
bool gpus_are_likely();

// Collective. Of each rank, why it cannot train on a GPU; empty text: it can.
std::vector<std::string> missing_gpus(distributed::Communicator& ranks);

// Collective. Whether this training runs on GPUs: `wish` is train.device. For "auto" all ranks must have one. Throws
// Error(environment) on every rank when "cuda" was requested and a rank has none. An unknown wish fails a check.
bool choose_cuda(const std::string& wish, distributed::Communicator& ranks);

}  // namespace penstock::stages
