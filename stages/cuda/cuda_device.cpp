#include "stages/cuda/cuda_device.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>

#include <vector>

#include "distributed/check.h"
#include "distributed/collectives.h"
#include "distributed/nccl_communicator.h"
#include "distributed/world.h"
#include "stages/compute/step/step_device.h"
#include "stages/cuda/kernels.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::NcclCommunicator;

void check(cudaError_t code, const char* what) {
  if (code != cudaSuccess)
    throw Error(ExitCode::environment, std::string("CUDA failed at '") + what + "': " + cudaGetErrorString(code));
}

class CudaDevice final : public StepDevice {
 public:
  CudaDevice(Communicator& ranks, int index)
      : ranks_(ranks),
        index_(static_cast<c10::DeviceIndex>(index)),
        stream_(c10::cuda::getStreamFromPool(false, index_)),
        side_(c10::cuda::getStreamFromPool(true, index_)) {
    // The same bits from run to run: no search for the fastest algorithm, which differs; float32 is float32.
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
  }
  ~CudaDevice() override {
    cudaStreamSynchronize(stream_.stream());
    graph_.reset();  // before the communicator that it calls
    for (void* memory : memory_) cudaFreeHost(memory);
    c10::cuda::CUDACachingAllocator::emptyCache();
  }

  void join_ranks() {
    if (ranks_.size() > 1) nccl_ = std::make_unique<NcclCommunicator>(ranks_, index_);
  }

  torch::Device place() const override { return {torch::kCUDA, index_}; }
  std::string name() const override { return at::cuda::getDeviceProperties(index_)->name; }
  Memory memory() const override {
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(index_);
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return {static_cast<size_t>(stats.reserved_bytes[all].peak), at::cuda::getDeviceProperties(index_)->totalGlobalMem};
  }

  void* exchange_memory(size_t bytes) override {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "taking host memory");
    memory_.push_back(memory);
    return memory;
  }
  void copy_in(void* device, const void* host, size_t bytes) override {
    check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_.stream()), "a copy to the device");
  }
  void copy_out(void* host, const void* device, size_t bytes) override {
    check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_.stream()), "a copy from the device");
  }

  void gather(const GatherWork& work) override { launch_gather(work, stream_.stream()); }
  void tally(const TallyWork& work) override { launch_tally(work, stream_.stream()); }
  void figures(const FiguresWork& work) override { launch_figures(work, stream_.stream()); }
  void judge(const JudgeWork& work) override { launch_judge(work, stream_.stream()); }
  void update(const UpdateWork& work) override { launch_update(work, stream_.stream()); }

  // Backward's thread calls this, too, on the stream that it works on. Forking and joining by events is what a
  // recording takes in.
  void all_reduce(float* values, size_t count, std::string_view what) override {
    PENSTOCK_CHECK(nccl_ != nullptr, "only several ranks sum over ranks");
    const auto current = c10::cuda::getCurrentCUDAStream(index_);
    fork_.record(current);
    fork_.block(side_);
    nccl_->enqueue_all_reduce({values, count, distributed::DataType::f32, distributed::Place::device},
                              NcclCommunicator::Combine::sum, side_.stream(), what);
    forked_ = true;
  }
  void join() override {
    if (!std::exchange(forked_, false)) return;
    joined_.record(side_);
    joined_.block(stream_);
  }

  void run(const std::function<void()>& work) override {
    const c10::cuda::CUDAStreamGuard current(stream_);
    work();
  }

  // Thread-local: backward's thread takes memory meanwhile, which a global recording would forbid.
  bool record(const std::function<void()>& work) override {
    const c10::cuda::CUDAStreamGuard current(stream_);
    stream_.synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();  // a recording's memory is its own: what the steps before held is
                                                    // free for it
    graph_ = std::make_unique<at::cuda::CUDAGraph>();
    if (dropout_) graph_->register_generator_state(*dropout_);
    const auto pool = at::cuda::graph_pool_handle();
    graph_->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_->capture_end();
    } catch (const c10::OutOfMemoryError&) {
      give_up_recording(pool);
      throw;
    } catch (const c10::Error& error) {
      give_up_recording(pool);
      throw Error(
          ExitCode::environment,
          std::string("the step could not be recorded as a CUDA graph (train.graph = \"off\" trains without): ") +
              error.what_without_backtrace());
    }
    return true;
  }
  void replay() override { graph_->replay(); }

  void wait(std::string_view what) override {
    if (!nccl_) return check(cudaStreamSynchronize(stream_.stream()), "waiting for the device");
    const auto meeting = ranks_.meet(what);
    nccl_->wait_for(stream_.stream(), what);
  }

  // One for all steps: a recorded step draws from the generator that it was recorded with.
  std::optional<at::Generator> generator(uint64_t seed) override {
    if (!dropout_) dropout_ = at::make_generator<at::CUDAGeneratorImpl>(index_);
    dropout_->set_current_seed(seed);
    return dropout_;
  }

 private:
  // Else the memory that it took would stay taken.
  void give_up_recording(at::cuda::MempoolId_t pool) {
    cudaGraph_t broken = nullptr;
    cudaStreamEndCapture(stream_.stream(), &broken);
    if (broken != nullptr) cudaGraphDestroy(broken);
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(index_, pool);
      c10::cuda::CUDACachingAllocator::releasePool(index_, pool);
    } catch (const c10::Error&) {
      // the recording itself had ended, and has given it back
    }
  }

  Communicator& ranks_;
  c10::DeviceIndex index_;
  c10::cuda::CUDAStream stream_, side_;
  at::cuda::CUDAEvent fork_, joined_;
  bool forked_ = false;
  std::unique_ptr<NcclCommunicator> nccl_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
  std::optional<at::Generator> dropout_;
  std::vector<void*> memory_;
};

}  // namespace

int cuda_devices() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

std::unique_ptr<StepDevice> open_cuda_device(Communicator& ranks) {
  std::unique_ptr<CudaDevice> device;
  distributed::Outcome mine;
  try {
    const int index = distributed::device_of(distributed::world_of(distributed::process_environment()), cuda_devices());
    if (index < 0) throw Error(ExitCode::environment, "the driver shows no GPU to this process");
    at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
    device = std::make_unique<CudaDevice>(ranks, index);
  } catch (const std::exception& error) {
    mine = {ExitCode::environment, error.what()};
  }
  if (const auto all = distributed::agree(ranks, mine, "opening the GPUs"); all.rank >= 0)
    throw Error(all.outcome.code, all.outcome.message);
  device->join_ranks();
  return device;
}

}  // namespace penstock::stages
