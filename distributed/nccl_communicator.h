// Ranks that each hold a GPU: buffers on devices meet through NCCL, all else through the host's communicator. Part of
// libpenstock_cuda.so, which is opened when training runs on GPUs.
//
// Threads: as Communicator. The thread that made it has the device chosen for it; others choose it themselves.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "distributed/communicator.h"

struct ncclComm;
struct CUstream_st;

namespace penstock::distributed {

class NcclCommunicator final : public Communicator {
 public:
  enum class Combine { sum, mean };

  // Collective over `host`, which must outlive it. `device` is this rank's, and current. Does not block in NCCL: it is
  // asked whether it is done until `deadline` has passed. Throws Error(environment) with NCCL's reason, on every rank.
  // Two ranks with one device are refused, unless NCCL_HOSTID makes NCCL take them for two machines (tests).
  NcclCommunicator(Communicator& host, int device, std::chrono::milliseconds deadline = std::chrono::seconds(60));
  ~NcclCommunicator() override;  // local: what is still under way is given up

  static std::string version();  // of the library that was loaded: "2.28.9"

  // Collective, in stream order: the combination over all ranks, in place, is there for what is enqueued on `stream`
  // behind it. Device buffers only. May be recorded into a CUDA graph; then every rank records it, and replays it as
  // often.
  void enqueue_all_reduce(Buffer buffer, Combine combine, CUstream_st* stream, std::string_view what);

  // Returns when all that is enqueued on `stream` is done. Sleeps while it waits, and looks for NCCL's failures: throws
  // Error(ranks) after giving the communicator up.
  void wait_for(CUstream_st* stream, std::string_view what);

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  // With a device buffer these are NCCL's, on a stream of their own, and return when this rank may read the buffer.
  void broadcast(Buffer buffer, int root, std::string_view what) override;
  void all_reduce(Buffer buffer, std::string_view what) override;
  void all_gather(Buffer mine, Buffer all, std::string_view what) override;
  // Host buffers only: the host's own.
  void barrier(std::string_view what) override { host_.barrier(what); }
  void all_to_all(Buffer mine, Buffer all, std::string_view what) override;
  std::unique_ptr<Communicator> split(int color, int key, std::string_view what) override {
    return host_.split(color, key, what);
  }
  std::unique_ptr<Communicator> duplicate(std::string_view what) override { return host_.duplicate(what); }
  std::unique_ptr<Pending> start_all_reduce(Buffer buffer, std::string_view what) override;
  void send(int to, int tag, std::string_view bytes) override { host_.send(to, tag, bytes); }
  bool try_send(int to, int tag, std::string_view bytes) override { return host_.try_send(to, tag, bytes); }
  Message receive(int from, int tag) override { return host_.receive(from, tag); }
  std::optional<Message> poll(int from, int tag) override { return host_.poll(from, tag); }
  [[noreturn]] void abort(ExitCode code) override { host_.abort(code); }

 private:
  void refuse_shared_devices(int device);
  void settle(int result, std::string_view what);

  Communicator& host_;
  std::chrono::milliseconds deadline_;
  ncclComm* comm_ = nullptr;
  CUstream_st* stream_ = nullptr;
};

}  // namespace penstock::distributed
