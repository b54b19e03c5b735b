#include "distributed/local_communicator.h"

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "distributed/background_reducer.h"
#include "distributed/check.h"
#include "distributed/reduce.h"

namespace penstock::distributed {
namespace {

// One lock and one bell for a whole local world, so that a poisoned rank wakes waiters of every group at once.
struct Hub {
  std::mutex mutex;
  std::condition_variable bell;
  bool poisoned = false;
  std::string cause;

  void poison(const std::string& why) {
    {
      const std::lock_guard lock(mutex);
      if (!poisoned) cause = why;
      poisoned = true;
    }
    bell.notify_all();
  }
};

// What the ranks of one communicator share.
struct Group {
  Group(std::shared_ptr<Hub> the_hub, int the_size) : hub(std::move(the_hub)), size(the_size), slots(the_size) {}

  struct Slot {
    Buffer buffer;
    int64_t root = 0;
    const char* operation = "";
  };

  std::shared_ptr<Hub> hub;
  int size;
  std::vector<Slot> slots;
  int arrived = 0;
  int64_t generation = 0;
  std::map<std::pair<int, int>, std::deque<Message>> mail;         // (to, tag)
  std::map<std::pair<int64_t, int>, std::shared_ptr<Group>> born;  // (generation, color)
};

class LocalCommunicator final : public Communicator {
 public:
  LocalCommunicator(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size; }

 private:
  void do_barrier(std::string_view what) override { rendezvous("barrier", {}, 0, what); }

  void do_broadcast(Buffer buffer, int root, std::string_view what) override {
    if (size() == 1) return;
    rendezvous("broadcast", buffer, root, what);
    if (rank_ != root) std::memcpy(buffer.data, group_->slots[root].buffer.data, buffer.bytes());
    arrive(what);
  }

  void do_all_reduce(Buffer buffer, std::string_view what) override {
    if (size() == 1) return;
    rendezvous("all_reduce", buffer, 0, what);
    // In rank order on every rank: the same bits everywhere.
    std::vector<char> sum(buffer.bytes());
    std::memcpy(sum.data(), group_->slots[0].buffer.data, buffer.bytes());
    for (int from = 1; from < size(); ++from) {
      add_into(sum.data(), group_->slots[from].buffer.data, buffer.count, buffer.type);
    }
    arrive(what);
    std::memcpy(buffer.data, sum.data(), buffer.bytes());
  }

  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override {
    rendezvous("all_gather", mine, 0, what);
    for (int from = 0; from < size(); ++from) {
      std::memcpy(static_cast<char*>(all.data) + from * mine.bytes(), group_->slots[from].buffer.data, mine.bytes());
    }
    arrive(what);
  }

  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override {
    rendezvous("all_to_all", mine, 0, what);
    const size_t part = mine.bytes() / size();
    for (int from = 0; from < size(); ++from) {
      std::memcpy(static_cast<char*>(all.data) + from * part,
                  static_cast<const char*>(group_->slots[from].buffer.data) + rank_ * part, part);
    }
    arrive(what);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    std::pair<int, int> mine(color, key);
    std::vector<std::pair<int, int>> all(size());
    do_all_gather(buffer_of(reinterpret_cast<int32_t*>(&mine), 2),
                  buffer_of(reinterpret_cast<int32_t*>(all.data()), 2 * all.size()), what);
    int before = 0, count = 0;
    for (int other = 0; other < size(); ++other) {
      if (all[other].first != color) continue;
      ++count;
      before += std::pair(all[other].second, other) < std::pair(key, rank_);
    }
    std::unique_ptr<Communicator> made;
    if (color >= 0) {
      const std::lock_guard lock(group_->hub->mutex);
      auto& group = group_->born[{group_->generation, color}];
      if (!group) group = std::make_shared<Group>(group_->hub, count);
      made = std::make_unique<LocalCommunicator>(group, before);
    }
    arrive(what);  // all have joined before the generation moves on
    return made;
  }

  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override { return do_split(0, rank_, what); }

  std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    if (!background_) background_ = std::make_unique<BackgroundReducer>(do_duplicate("the background reducer's ranks"));
    return background_->start(buffer, what);
  }

  void do_send(int to, int tag, std::string_view bytes) override {
    {
      const std::lock_guard lock(group_->hub->mutex);
      throw_if_poisoned();
      group_->mail[{to, tag}].push_back({rank_, std::string(bytes)});
    }
    group_->hub->bell.notify_all();
  }

  Message do_receive(int from, int tag) override {
    std::unique_lock lock(group_->hub->mutex);
    std::optional<Message> message;
    group_->hub->bell.wait(lock, [&] { return group_->hub->poisoned || (message = take(from, tag)).has_value(); });
    if (!message) throw_if_poisoned();
    return std::move(*message);
  }

  std::optional<Message> do_poll(int from, int tag) override {
    const std::lock_guard lock(group_->hub->mutex);
    throw_if_poisoned();
    return take(from, tag);
  }

  void do_abort(ExitCode code) override {
    group_->hub->poison("the job was aborted");
    throw Error(code, "the job was aborted by rank " + std::to_string(rank_));
  }

  void throw_if_poisoned() const {
    if (group_->hub->poisoned) throw Error(ExitCode::ranks, "another rank failed: " + group_->hub->cause);
  }

  std::optional<Message> take(int from, int tag) {
    auto& box = group_->mail[{rank_, tag}];
    for (auto message = box.begin(); message != box.end(); ++message) {
      if (from != any_rank && message->from != from) continue;
      Message taken = std::move(*message);
      box.erase(message);
      return taken;
    }
    return std::nullopt;
  }

  // Waits until every rank has arrived.
  void arrive(std::string_view) {
    std::unique_lock lock(group_->hub->mutex);
    throw_if_poisoned();
    const int64_t generation = group_->generation;
    if (++group_->arrived == group_->size) {
      group_->arrived = 0;
      ++group_->generation;
      lock.unlock();
      group_->hub->bell.notify_all();
      return;
    }
    group_->hub->bell.wait(lock, [&] { return group_->hub->poisoned || group_->generation != generation; });
    if (group_->generation == generation) throw_if_poisoned();
  }

  static std::string described(const Group::Slot& slot) {
    return fmt::format("{} of {} {} elements, root {}", slot.operation, slot.buffer.count, name_of(slot.buffer.type),
                       slot.root);
  }

  // Shows this rank's part to the others, waits for theirs, and checks that all mean the same operation.
  void rendezvous(const char* operation, Buffer buffer, int64_t root, std::string_view what) {
    group_->slots[rank_] = {buffer, root, operation};
    arrive(what);
    for (int other = 0; other < size(); ++other) {
      const auto& slot = group_->slots[other];
      const bool same = std::strcmp(slot.operation, operation) == 0 && slot.buffer.count == buffer.count &&
                        slot.buffer.type == buffer.type && slot.root == root;
      if (same) continue;
      throw Error(ExitCode::ranks, fmt::format("ranks disagree at '{}': rank {} is in {}, rank {} in {}", what, rank_,
                                               described(group_->slots[rank_]), other, described(slot)));
    }
    if (std::strcmp(operation, "barrier") == 0) arrive(what);
  }

  std::shared_ptr<Group> group_;
  int rank_;
  std::unique_ptr<BackgroundReducer> background_;
};

std::vector<std::unique_ptr<Communicator>> world_on(const std::shared_ptr<Hub>& hub, int size) {
  PENSTOCK_CHECK(size >= 1, "a world has at least one rank");
  auto group = std::make_shared<Group>(hub, size);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<LocalCommunicator>(group, rank));
  return ranks;
}

}  // namespace

std::vector<std::unique_ptr<Communicator>> local_world(int size) { return world_on(std::make_shared<Hub>(), size); }

void run_local_ranks(int size, const std::function<void(Communicator&)>& body) {
  const auto hub = std::make_shared<Hub>();
  auto ranks = world_on(hub, size);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      const auto failed = [&](const std::string& why) {
        {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
        }
        hub->poison("rank " + std::to_string(rank) + ": " + why);
      };
      try {
        body(*ranks[rank]);
      } catch (const std::exception& error) {
        failed(error.what());
      } catch (...) {
        failed("an unknown exception");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace penstock::distributed
