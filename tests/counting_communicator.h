// A communicator that counts what its rank hands to collectives, and all that is made of it.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "distributed/communicator.h"

namespace penstock {

struct Tally {
  std::atomic<size_t> calls{0}, reduced_bytes{0}, scattered_bytes{0}, gathered_bytes{0};
};

class CountingCommunicator final : public distributed::Communicator {
 public:
  using Buffer = distributed::Buffer;
  CountingCommunicator(Communicator& ranks, Tally& tally) : ranks_(ranks), tally_(tally) {}
  CountingCommunicator(std::unique_ptr<Communicator> ranks, Tally& tally)
      : owned_(std::move(ranks)), ranks_(*owned_), tally_(tally) {}

  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }
  void do_barrier(std::string_view what) override { ranks_.barrier(what); }
  void do_broadcast(Buffer buffer, int root, std::string_view what) override { ranks_.broadcast(buffer, root, what); }
  void do_all_reduce(Buffer buffer, std::string_view what) override {
    count(tally_.reduced_bytes, buffer);
    ranks_.all_reduce(buffer, what);
  }
  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override {
    count(tally_.gathered_bytes, mine);
    ranks_.all_gather(mine, all, what);
  }
  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override {
    count(tally_.scattered_bytes, mine);
    ranks_.all_to_all(mine, all, what);
  }
  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    return counted(ranks_.split(color, key, what));
  }
  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override { return counted(ranks_.duplicate(what)); }
  std::unique_ptr<distributed::Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    count(tally_.reduced_bytes, buffer);
    return ranks_.start_all_reduce(buffer, what);
  }
  void do_send(int to, int tag, std::string_view bytes) override { ranks_.send(to, tag, bytes); }
  distributed::Message do_receive(int from, int tag) override { return ranks_.receive(from, tag); }
  std::optional<distributed::Message> do_poll(int from, int tag) override { return ranks_.poll(from, tag); }
  void do_abort(ExitCode code) override { ranks_.abort(code); }

 private:
  void count(std::atomic<size_t>& bytes, const Buffer& buffer) {
    ++tally_.calls;
    bytes += buffer.bytes();
  }
  std::unique_ptr<Communicator> counted(std::unique_ptr<Communicator> made) {
    if (!made) return nullptr;
    return std::make_unique<CountingCommunicator>(std::move(made), tally_);
  }

  std::unique_ptr<Communicator> owned_;
  Communicator& ranks_;
  Tally& tally_;
};

}  // namespace penstock
