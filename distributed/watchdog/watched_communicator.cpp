#include "distributed/watchdog/watched_communicator.h"

#include <utility>

#include "distributed/background_reducer.h"

namespace penstock::distributed {
namespace {

constexpr uint64_t whole_job = 1;  // the first communicator's number

// The same on all ranks of a new communicator: they were in the same collective of the same parent, with the same
// color. The mixing is splitmix64's (Steele, Lea and Flood 2014).
uint64_t child_of(uint64_t parent, uint64_t number, int color) {
  uint64_t mixed = parent;
  for (const uint64_t part : {number, static_cast<uint64_t>(static_cast<int64_t>(color))}) {
    mixed += part + 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
  }
  return mixed;
}

class WatchedCommunicator final : public Communicator {
  // One collective or meeting, from entering it to leaving it.
  struct Stay final : Meeting {
    Stay(WatchedCommunicator& in, Operation operation, Buffer buffer, int root, std::string_view what)
        : of(in), number(in.log_->enter(in.side_, operation, buffer.type, root, buffer.bytes(), what)) {}
    ~Stay() override { of.log_->leave(of.side_); }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    WatchedCommunicator& of;
    const uint64_t number;
  };

 public:
  WatchedCommunicator(std::unique_ptr<Communicator> ranks, std::shared_ptr<CollectiveLog> log, uint64_t among,
                      std::string name)
      : ranks_(std::move(ranks)), log_(std::move(log)), side_(log_->join({among, ranks_->size(), std::move(name)})) {}
  ~WatchedCommunicator() override {
    background_.reset();
    log_->drop(side_);
  }

  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  std::unique_ptr<Meeting> meet(std::string_view what) override {
    return std::make_unique<Stay>(*this, Operation::meeting, Buffer(), 0, what);
  }

 private:
  void do_barrier(std::string_view what) override {
    const Stay stay(*this, Operation::barrier, {}, 0, what);
    ranks_->barrier(what);
  }
  void do_broadcast(Buffer buffer, int root, std::string_view what) override {
    const Stay stay(*this, Operation::broadcast, buffer, root, what);
    ranks_->broadcast(buffer, root, what);
  }
  void do_all_reduce(Buffer buffer, std::string_view what) override {
    const Stay stay(*this, Operation::all_reduce, buffer, 0, what);
    ranks_->all_reduce(buffer, what);
  }
  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override {
    const Stay stay(*this, Operation::all_gather, mine, 0, what);
    ranks_->all_gather(mine, all, what);
  }
  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override {
    const Stay stay(*this, Operation::all_to_all, mine, 0, what);
    ranks_->all_to_all(mine, all, what);
  }
  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    const Stay stay(*this, Operation::split, {}, 0, what);
    return child(ranks_->split(color, key, what), stay.number, color, what);
  }
  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override {
    const Stay stay(*this, Operation::duplicate, {}, 0, what);
    return child(ranks_->duplicate(what), stay.number, 0, what);
  }
  // Through a duplicate of our own, so that each is logged when it begins.
  std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    if (!background_) background_ = std::make_unique<BackgroundReducer>(do_duplicate("the background reducer's ranks"));
    return background_->start(buffer, what);
  }

  void do_send(int to, int tag, std::string_view bytes) override { ranks_->send(to, tag, bytes); }
  bool do_try_send(int to, int tag, std::string_view bytes) override { return ranks_->try_send(to, tag, bytes); }
  Message do_receive(int from, int tag) override { return ranks_->receive(from, tag); }
  std::optional<Message> do_poll(int from, int tag) override { return ranks_->poll(from, tag); }
  void do_abort(ExitCode code) override { ranks_->abort(code); }

  std::unique_ptr<Communicator> child(std::unique_ptr<Communicator> made, uint64_t number, int color,
                                      std::string_view what) const {
    if (made == nullptr) return nullptr;
    return std::make_unique<WatchedCommunicator>(std::move(made), log_, child_of(side_.joined.among, number, color),
                                                 std::string(what));
  }

  std::unique_ptr<Communicator> ranks_;
  std::shared_ptr<CollectiveLog> log_;
  CollectiveLog::Side& side_;
  std::unique_ptr<BackgroundReducer> background_;
};

}  // namespace

std::unique_ptr<Communicator> watched(std::unique_ptr<Communicator> ranks, std::shared_ptr<CollectiveLog> log,
                                      std::string name) {
  return std::make_unique<WatchedCommunicator>(std::move(ranks), std::move(log), whole_job, std::move(name));
}

}  // namespace penstock::distributed
