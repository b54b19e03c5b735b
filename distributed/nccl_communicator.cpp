// NCCL 2.28, the copy that libtorch_cuda.so loads: two copies in one process would not share their state.
#include "distributed/nccl_communicator.h"

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/check.h"
#include "distributed/collectives.h"

namespace penstock::distributed {
namespace {

using Clock = std::chrono::steady_clock;

void check_cuda(cudaError_t code, std::string_view what) {
  if (code == cudaSuccess) return;
  throw Error(ExitCode::environment, "CUDA failed at '" + std::string(what) + "': " + cudaGetErrorString(code));
}

ncclDataType_t nccl_type(DataType type) {
  switch (type) {
    case DataType::u8:
      return ncclUint8;
    case DataType::i32:
      return ncclInt32;
    case DataType::i64:
      return ncclInt64;
    case DataType::u64:
      return ncclUint64;
    case DataType::f32:
      return ncclFloat32;
    case DataType::f64:
      return ncclFloat64;
  }
  PENSTOCK_CHECK(false, "a data type is one of those listed");
}

// At first without pause: most waits are short.
class Pause {
 public:
  void operator()() {
    if (Clock::now() - start_ < std::chrono::microseconds(200)) return;
    std::this_thread::sleep_for(std::chrono::microseconds(50));  // of a step's milliseconds
  }
  bool longer_than(std::chrono::milliseconds limit) const { return Clock::now() - start_ > limit; }

 private:
  Clock::time_point start_ = Clock::now();
};

}  // namespace

std::string NcclCommunicator::version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return "unknown";
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

NcclCommunicator::NcclCommunicator(Communicator& host, int device, std::chrono::milliseconds deadline)
    : host_(host), deadline_(deadline) {
  refuse_shared_devices(device);
  // Rank 0 broadcasts the id over the host communicator, and first whether it has one: all ranks fail together.
  ncclUniqueId id = {};
  int32_t made = host.rank() != 0 || ncclGetUniqueId(&id) == ncclSuccess;
  host.broadcast(buffer_of(&made, 1), 0, "whether NCCL starts");
  if (!made) throw Error(ExitCode::environment, std::string("NCCL does not start: ") + ncclGetLastError(nullptr));
  host.broadcast(buffer_of(reinterpret_cast<uint8_t*>(id.internal), sizeof id.internal), 0, "NCCL's id");

  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;  // else the start could not be aborted when a rank never arrives
  config.commName = "penstock";
  Outcome mine;
  try {
    settle(ncclCommInitRankConfig(&comm_, host.size(), id, host.rank(), &config), "starting NCCL");
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  } catch (const Error& error) {
    mine = {ExitCode::environment, error.what()};
  }
  if (const auto all = agree(host, mine, "starting NCCL"); all.rank >= 0) {
    if (comm_ != nullptr) ncclCommAbort(comm_);
    throw Error(all.outcome.code, all.outcome.message);
  }
}

NcclCommunicator::~NcclCommunicator() {
  if (comm_ != nullptr) ncclCommAbort(comm_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void NcclCommunicator::refuse_shared_devices(int device) {
  char bus[32] = {};
  check_cuda(cudaDeviceGetPCIBusId(bus, sizeof bus, device), "reading the device's PCI address");
  char host_name[256] = {};
  if (FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "r")) {
    if (std::fgets(host_name, sizeof host_name, file) == nullptr) host_name[0] = '\0';
    std::fclose(file);
  }
  const bool apart = std::getenv("NCCL_HOSTID") != nullptr;
  const auto all = gather_texts(host_, apart ? "" : std::string(host_name) + bus, "the ranks' devices");
  for (size_t a = 0; a < all.size(); ++a) {
    for (size_t b = a + 1; b < all.size(); ++b) {
      if (all[a].empty() || all[a] != all[b]) continue;
      throw Error(ExitCode::environment,
                  "ranks " + std::to_string(a) + " and " + std::to_string(b) + " share one GPU (" + bus +
                      "), but NCCL needs one GPU for each rank; start as many ranks on a machine as it has GPUs");
    }
  }
}

// Waits until NCCL has accepted the operation that returned `result`.
void NcclCommunicator::settle(int result, std::string_view what) {
  auto state = static_cast<ncclResult_t>(result);
  for (Pause pause; state == ncclInProgress; pause()) {
    if (pause.longer_than(deadline_)) {
      throw Error(ExitCode::ranks, "NCCL has not finished '" + std::string(what) + "' after " +
                                       std::to_string(deadline_.count() / 1000) + " s");
    }
    if (comm_ == nullptr || ncclCommGetAsyncError(comm_, &state) != ncclSuccess) state = ncclInternalError;
  }
  if (state == ncclSuccess) return;
  throw Error(ExitCode::ranks, "NCCL failed at '" + std::string(what) + "': " + ncclGetErrorString(state) + "; " +
                                   ncclGetLastError(comm_));
}

void NcclCommunicator::enqueue_all_reduce(Buffer buffer, Combine combine, CUstream_st* stream, std::string_view what) {
  PENSTOCK_CHECK(buffer.place == Place::device && buffer.data != nullptr, "NCCL sums device buffers only");
  PENSTOCK_CHECK(comm_ != nullptr, "a communicator that was aborted after a failure is not used again");
  settle(ncclAllReduce(buffer.data, buffer.data, buffer.count, nccl_type(buffer.type),
                       combine == Combine::mean ? ncclAvg : ncclSum, comm_, stream),
         what);
}

void NcclCommunicator::wait_for(CUstream_st* stream, std::string_view what) {
  for (Pause pause;; pause()) {
    const cudaError_t code = cudaStreamQuery(stream);
    if (code == cudaSuccess) return;
    if (code != cudaErrorNotReady) check_cuda(code, what);
    ncclResult_t state = ncclSuccess;
    if (ncclCommGetAsyncError(comm_, &state) == ncclSuccess && (state == ncclSuccess || state == ncclInProgress))
      continue;
    const std::string reason = ncclGetLastError(comm_);
    ncclCommAbort(std::exchange(comm_, nullptr));  // else the kernels wait for ever, and the process with them
    throw Error(ExitCode::ranks,
                "NCCL failed at '" + std::string(what) + "': " + ncclGetErrorString(state) + "; " + reason);
  }
}

void NcclCommunicator::do_broadcast(Buffer buffer, int root, std::string_view what) {
  if (buffer.place == Place::host) return host_.broadcast(buffer, root, what);
  settle(ncclBroadcast(buffer.data, buffer.data, buffer.count, nccl_type(buffer.type), root, comm_, stream_), what);
  wait_for(stream_, what);
}

void NcclCommunicator::do_all_reduce(Buffer buffer, std::string_view what) {
  if (buffer.place == Place::host) return host_.all_reduce(buffer, what);
  enqueue_all_reduce(buffer, Combine::sum, stream_, what);
  wait_for(stream_, what);
}

void NcclCommunicator::do_all_gather(Buffer mine, Buffer all, std::string_view what) {
  if (mine.place == Place::host) return host_.all_gather(mine, all, what);
  settle(ncclAllGather(mine.data, all.data, mine.count, nccl_type(mine.type), comm_, stream_), what);
  wait_for(stream_, what);
}

}  // namespace penstock::distributed
