// Where a DeviceStep runs: a GPU (cuda/cuda_device.h, in libpenstock_cuda.so), or the host as its reference
// (host_device.h).
//
// Work is done in the order of the calls, perhaps after they return; results are safe to read on the host after wait().
// Called by one thread, except all_reduce(), which backward's threads call too. Collective calls are made by every rank
// in the same order.
#pragma once

#include <torch/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "stages/arithmetic/device_work.h"

namespace penstock::stages {

class StepDevice {
 public:
  virtual ~StepDevice() = default;

  virtual torch::Device place() const = 0;  // of tensors
  virtual std::string name() const = 0;
  struct Memory {
    size_t peak = 0, limit = 0;  // bytes that were in use at most, and that there are; 0: unknown
  };
  virtual Memory memory() const = 0;

  // Host memory that copy_in and copy_out may use while the host continues; lives as long as the device.
  virtual void* exchange_memory(size_t bytes) = 0;
  virtual void copy_in(void* device, const void* host, size_t bytes) = 0;
  virtual void copy_out(void* host, const void* device, size_t bytes) = 0;

  virtual void gather(const GatherWork& work) = 0;
  virtual void tally(const TallyWork& work) = 0;
  virtual void figures(const FiguresWork& work) = 0;
  virtual void judge(const JudgeWork& work) = 0;
  virtual void update(const UpdateWork& work) = 0;

  // Collective. Sums over all ranks, in place, beside the work that is enqueued after it; join() makes what follows
  // wait for it.
  virtual void all_reduce(float* values, size_t count, std::string_view what) = 0;
  virtual void join() = 0;

  // Makes the device and its order of work current while `work` runs. Everything above is called inside.
  virtual void run(const std::function<void()>& work) = 0;
  // As run(), but records what is enqueued instead of doing it; replay() does it. False, and nothing was done, where
  // there is no recording. `work` must not wait, and must have run before, so that nothing is made for the first time.
  virtual bool record(const std::function<void()>& work) = 0;
  virtual void replay() = 0;
  // Blocks until all is done. `what` names it in the watchdog's report, the same on every rank.
  virtual void wait(std::string_view what) = 0;

  // Draws of dropout; seeded by the step, so that nothing is carried from one to the next.
  virtual std::optional<at::Generator> generator(uint64_t seed) = 0;
};

}  // namespace penstock::stages
