// libpenstock_cuda.so's one exported symbol, and its own checks of the machine.
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/Normalization.h>
#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <fmt/format.h>
#include <nccl.h>
#include <torch/torch.h>

#include "distributed/nccl_communicator.h"
#include "stages/compute/step/step_device.h"
#include "stages/cuda/cuda_device.h"
#include "stages/cuda_library.h"

namespace penstock::stages {
namespace {

std::string dotted(int version) { return fmt::format("{}.{}", version / 1000, version / 10 % 100); }

std::string driver() {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) throw Error(ExitCode::environment, "no driver is loaded");
  if (driver / 1000 < runtime / 1000) {
    throw Error(
        ExitCode::environment,
        fmt::format("the driver is of CUDA {}, this program of {}: a driver of CUDA 13 (580 or later) is needed",
                    dotted(driver), dotted(runtime)));
  }
  return fmt::format("of CUDA {}; runtime {}", dotted(driver), dotted(runtime));
}

std::string devices() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0)
    throw Error(ExitCode::environment, fmt::format("none that this process may use: {}", cudaGetErrorString(code)));
  std::string text;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp about = {};
    cudaGetDeviceProperties(&about, device);
    text += fmt::format("{}{} ({:.0f} GiB, {} multiprocessors, compute {}.{})", device == 0 ? "" : ", ", about.name,
                        static_cast<double>(about.totalGlobalMem) / (1 << 30), about.multiProcessorCount, about.major,
                        about.minor);
    if (about.major < 9)
      throw Error(ExitCode::environment, text + ": the kernels are compiled for compute 9.0 and later");
  }
  return text;
}

// One library, LibTorch's: two would not know of each other.
std::string nccl() {
  const std::string loaded = distributed::NcclCommunicator::version(),
                    made = fmt::format("{}.{}.{}", NCCL_MAJOR, NCCL_MINOR, NCCL_PATCH);
  if (loaded != made)
    throw Error(ExitCode::environment,
                fmt::format("compiled with {}, loaded is {}: is another libnccl.so.2 first in the loader's path?", made,
                            loaded));
  return loaded + ", the one that LibTorch loads";
}

std::string cudnn() {
  const int64_t loaded = at::detail::getCUDAHooks().versionCuDNN();
  if (loaded != CUDNN_VERSION)
    throw Error(ExitCode::environment, fmt::format("compiled with {}, loaded is {}", CUDNN_VERSION, loaded));
  return fmt::format("{}.{}.{}", loaded / 10000, loaded / 100 % 100, loaded % 100);
}

// Reported, not judged: which of its batch norms LibTorch takes for the network's types.
std::string batch_norms() {
  std::string text;
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const auto x = torch::zeros({4, 16, 32, 32}, torch::dtype(type).device(torch::kCUDA))
                       .contiguous(torch::MemoryFormat::ChannelsLast);
    const auto weight = torch::ones({16}, torch::dtype(torch::kFloat32).device(torch::kCUDA));
    const auto backend = at::native::_select_batch_norm_backend(x, weight, weight, weight, weight, true, 1e-5);
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", type == torch::kFloat32 ? "fp32" : "bf16",
                        backend == at::native::BatchNormBackend::Cudnn ? "cuDNN" : "LibTorch's own");
  }
  return text;
}

std::vector<Finding> examine(distributed::Communicator&) {
  std::vector<Finding> findings = {found("driver", driver), found("devices", devices), found("NCCL", nccl),
                                   found("cuDNN", cudnn)};
  if (cuda_devices() > 0)
    findings.push_back(found("batch norm", batch_norms));
  else
    findings.push_back({Finding::State::not_run, "batch norm", "needs a GPU"});
  return findings;
}

}  // namespace
}  // namespace penstock::stages

extern "C" __attribute__((visibility("default"))) const penstock::stages::CudaLibrary& penstock_cuda_library() {
  static const penstock::stages::CudaLibrary library{penstock::stages::cuda_devices, penstock::stages::open_cuda_device,
                                                     penstock::stages::examine};
  return library;
}
