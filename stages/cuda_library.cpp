#include "stages/cuda_library.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <filesystem>

#include "distributed/check.h"
#include "distributed/collectives.h"
#include "distributed/opened_library.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

constexpr const char* file_name = "libpenstock_cuda.so";

// Why this rank cannot train on a GPU; empty when it can. Cheap where there is none.
std::string missing_here() {
  if (!distributed::library_exists(file_name)) {
    return fmt::format(
        "this build has no {}: with a CUDA 13 toolkit, or after launch/setup --cuda, configure with -DPENSTOCK_CUDA=ON "
        "and build again",
        file_name);
  }
  if (!gpus_are_likely())
    return "no NVIDIA driver is loaded on this machine (neither /dev/nvidiactl nor /proc/driver/nvidia is there)";
  try {
    if (cuda_library().devices() > 0) return "";
    return "the driver shows no GPU to this process (CUDA_VISIBLE_DEVICES?); `penstock doctor --gpu` examines it";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

const CudaLibrary& cuda_library() {
  using Entry = const CudaLibrary& (*)();
  static const CudaLibrary& library =
      reinterpret_cast<Entry>(distributed::open_library_symbol(file_name, "penstock_cuda_library"))();
  return library;
}

bool gpus_are_likely() {
  std::error_code none;
  if (!distributed::library_exists(file_name)) return false;
  for (const char* sign : {"/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"}) {
    if (fs::exists(sign, none)) return true;
  }
  return false;
}

std::vector<std::string> missing_gpus(distributed::Communicator& ranks) {
  return distributed::gather_texts(ranks, missing_here(), "whether every rank has a GPU");
}

bool choose_cuda(const std::string& wish, distributed::Communicator& ranks) {
  PENSTOCK_CHECK(wish == "auto" || wish == "cpu" || wish == "cuda",
                 fmt::format("a training's device is auto, cpu or cuda, not '{}'", wish));
  if (wish == "cpu") return false;
  const auto missing = missing_gpus(ranks);
  int without = 0, first = -1;
  for (size_t rank = 0; rank < missing.size(); ++rank) {
    if (missing[rank].empty()) continue;
    if (without++ == 0) first = static_cast<int>(rank);
  }
  if (without == 0) return true;
  if (wish == "cuda") {
    throw Error(ExitCode::environment, fmt::format("train.device = \"cuda\", and rank {} cannot train on a GPU: "
                                                   "{}\nWith device = \"auto\" it trains on the CPU.",
                                                   first, missing[first]));
  }
  if (without < ranks.size() && ranks.rank() == 0) {
    spdlog::warn("only {} of {} ranks can train on a GPU, so all train on the CPU; rank {}: {}", ranks.size() - without,
                 ranks.size(), first, missing[first]);
  }
  return false;
}

}  // namespace penstock::stages
