// The host as a device, for tests that change one of its habits.
#pragma once

#include <memory>
#include <utility>

#include "stages/compute/step/host_device.h"

namespace penstock::stages {

class HostDeviceWith : public StepDevice {
 public:
  explicit HostDeviceWith(distributed::Communicator& ranks) : host_(host_device(ranks, 1)) {}

  torch::Device place() const override { return host_->place(); }
  std::string name() const override { return "a changed host"; }
  Memory memory() const override { return {}; }
  void* exchange_memory(size_t bytes) override { return host_->exchange_memory(bytes); }
  void copy_in(void* device, const void* from, size_t bytes) override { host_->copy_in(device, from, bytes); }
  void copy_out(void* to, const void* device, size_t bytes) override { host_->copy_out(to, device, bytes); }
  void gather(const GatherWork& work) override { host_->gather(work); }
  void tally(const TallyWork& work) override { host_->tally(work); }
  void figures(const FiguresWork& work) override { host_->figures(work); }
  void judge(const JudgeWork& work) override { host_->judge(work); }
  void update(const UpdateWork& work) override { host_->update(work); }
  void all_reduce(float* values, size_t count, std::string_view what) override {
    host_->all_reduce(values, count, what);
  }
  void join() override {}
  void run(const std::function<void()>& work) override { host_->run(work); }
  bool record(const std::function<void()>& work) override { return host_->record(work); }
  void replay() override { host_->replay(); }
  void wait(std::string_view what) override { host_->wait(what); }
  std::optional<at::Generator> generator(uint64_t seed) override { return host_->generator(seed); }

 private:
  std::unique_ptr<StepDevice> host_;
};

}  // namespace penstock::stages
