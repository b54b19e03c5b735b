// Ranks that each hold a GPU: collectives of device buffers are NCCL's, all others the host communicator's. Part of
// libpenstock_cuda.so, which is opened when training runs on GPUs.
//
// Threads: as Communicator. The thread that constructs it has `device` current; other threads set it themselves.
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

  // Collective over `host`, which must outlive it. `device` is this rank's, and current. NCCL starts without blocking
  // and is polled until `deadline` has passed. Throws Error(environment) with NCCL's reason, on every rank.
  // Two ranks with one device are refused, unless NCCL_HOSTID makes NCCL take them for two machines (tests).
  NcclCommunicator(Communicator& host, int device, std::chrono::milliseconds deadline = std::chrono::seconds(60));
  ~NcclCommunicator() override;  // local: aborts what is still under way

  static std::string version();  // of the library that was loaded: "2.28.9"

  // Collective, in stream order: what is enqueued on `stream` after it reads the combination over all ranks, in place.
  // Device buffers only. May be recorded into a CUDA graph; then every rank records it, and replays it equally often.
  void enqueue_all_reduce(Buffer buffer, Combine combine, CUstream_st* stream, std::string_view what);

  // Returns when all that is enqueued on `stream` is done. Sleeps while it waits, and polls for NCCL's failures: aborts
  // the communicator and throws Error(ranks).
  void wait_for(CUstream_st* stream, std::string_view what);

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  std::unique_ptr<Meeting> meet(std::string_view what) override { return host_.meet(what); }

 private:
  bool takes_device_buffers() const override { return true; }
  // With a device buffer these are NCCL's, on a stream of their own, and return when this rank may read the buffer.
  void do_broadcast(Buffer buffer, int root, std::string_view what) override;
  void do_all_reduce(Buffer buffer, std::string_view what) override;
  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override;
  // Host buffers only: the host's own.
  void do_barrier(std::string_view what) override { host_.barrier(what); }
  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override { host_.all_to_all(mine, all, what); }
  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    return host_.split(color, key, what);
  }
  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override { return host_.duplicate(what); }
  std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    return host_.start_all_reduce(buffer, what);
  }
  void do_send(int to, int tag, std::string_view bytes) override { host_.send(to, tag, bytes); }
  bool do_try_send(int to, int tag, std::string_view bytes) override { return host_.try_send(to, tag, bytes); }
  Message do_receive(int from, int tag) override { return host_.receive(from, tag); }
  std::optional<Message> do_poll(int from, int tag) override { return host_.poll(from, tag); }
  void do_abort(ExitCode code) override { host_.abort(code); }

  void refuse_shared_devices(int device);
  void settle(int result, std::string_view what);

  Communicator& host_;
  std::chrono::milliseconds deadline_;
  ncclComm* comm_ = nullptr;
  CUstream_st* stream_ = nullptr;
};

}  // namespace penstock::distributed
