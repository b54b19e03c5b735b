#include "pipeline/run/groups.h"

#include <spdlog/spdlog.h>

#include <set>
#include <thread>

#include "distributed/check.h"
#include "pipeline/counted.h"
#include "pipeline/run/instruction.h"

namespace penstock::pipeline {
namespace {

using distributed::Communicator;

constexpr int request_tag = 1;  // leader -> rank 0: the result of the last order, if any; requests the next
constexpr int answer_tag = 2;   // rank 0 -> leader: an order, or nothing: there will be none
constexpr int stop_tag = 3;     // rank 0 -> leader: stop what you run
constexpr auto poll_interval = std::chrono::milliseconds(2);
constexpr auto stop_interval = std::chrono::milliseconds(50);
constexpr auto courtesy = std::chrono::seconds(1);  // for rank 0 to write its records before a job is aborted

// Sets `flag` when rank 0 sends stop; exists while an order is being carried out.
class StopListener {
 public:
  StopListener(Communicator& service, std::atomic<bool>& flag)
      : thread_([&service, &flag, this] {
          while (!done_.load()) {
            if (service.poll(0, stop_tag)) flag.store(true);
            std::this_thread::sleep_for(stop_interval);
          }
        }) {}
  ~StopListener() {
    done_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

// Rank 0's service for the leaders of the other groups.
class Feeder {
 public:
  Feeder(Communicator& service, Conductor& conductor, int width, int leaders)
      : service_(service), conductor_(conductor), width_(width), leaders_(leaders) {}

  void serve() {
    while (leaders_ > 0) {
      const bool received = receive();
      const bool fed = feed();
      if (conductor_.stops_all()) stop_busy();
      if (!received && !fed) std::this_thread::sleep_for(poll_interval);
    }
  }

 private:
  bool receive() {
    const auto message = service_.poll(distributed::any_rank, request_tag);
    if (!message) return false;
    busy_.erase(message->from);
    stopped_.erase(message->from);
    waiting_.insert(message->from);
    if (!message->bytes.empty()) conductor_.accept(result_from_text(message->bytes), true);
    return true;
  }

  bool feed() {
    bool fed = false;
    for (auto leader = waiting_.begin(); leader != waiting_.end();) {
      const auto order = conductor_.next(width_);
      if (!order && !conductor_.is_over(width_)) return fed;
      service_.send(*leader, answer_tag, order ? order->to_text() : "");
      if (order)
        busy_.insert(*leader);
      else
        --leaders_;
      leader = waiting_.erase(leader);
      fed = true;
    }
    return fed;
  }

  void stop_busy() {
    for (const int leader : busy_) {
      if (stopped_.insert(leader).second) service_.send(leader, stop_tag, "stop");
    }
  }

  Communicator& service_;
  Conductor& conductor_;
  int width_;
  int leaders_;  // that may still get an order
  std::set<int> waiting_, busy_, stopped_;
};

void lead_first_group(Conductor& conductor, int width, StageRun& run) {
  for (;;) {
    if (const auto order = conductor.next(width)) {
      conductor.accept(run.run(*order, [&](const NodeResult& fatal) {
        conductor.accept(fatal);
        conductor.finish();
      }));
    } else if (conductor.is_over(width)) {
      return;
    } else {
      conductor.wait_for_change();
    }
  }
}

void lead_another_group(Communicator& service, StageRun& run, std::atomic<bool>& interrupted) {
  std::string report;
  for (;;) {
    service.send(0, request_tag, report);
    const std::string answer = service.receive(0, answer_tag).bytes;
    if (answer.empty()) return;
    const StopListener listener(service, interrupted);
    report = to_text(run.run(StageOrder::from_text(answer), [&](const NodeResult& fatal) {
      service.send(0, request_tag, to_text(fatal));
      std::this_thread::sleep_for(courtesy);
    }));
  }
}

// Every rank. `conductor` on rank 0.
void work_in_groups(int width, Conductor* conductor, const RankTools& tools, const RunOptions& options, Store& store) {
  Communicator& world = tools.ranks;
  PENSTOCK_CHECK(width >= 1 && width <= world.size(), "a group has at least one rank, and at most all");
  const int groups = world.size() / width;
  const int mine = world.rank() / width;
  const auto service = world.duplicate("the service of groups");
  const auto group = world.split(mine < groups ? mine : -1, world.rank(), "groups");
  if (!group) return;  // left over: waits for the others in the next broadcast
  const RankTools group_tools{tools.kinds, *group, tools.threads, tools.interrupted, tools.watch};
  if (group->rank() != 0) {
    follow(group_tools, options, &store);
    return;
  }
  StageRun run(group_tools, options, store);
  if (conductor != nullptr) {
    std::thread server([&] { Feeder(*service, *conductor, width, groups - 1).serve(); });
    lead_first_group(*conductor, width, run);
    server.join();
  } else {
    lead_another_group(*service, run, tools.interrupted);
  }
  instruct(*group, EndFollowing{});
}

}  // namespace

ExitCode follow(const RankTools& tools, const RunOptions& options, Store* store) {
  std::optional<Store> own;
  for (;;) {
    const Instruction instruction = next_instruction(tools.ranks);
    if (const auto* end = std::get_if<EndFollowing>(&instruction)) {
      if (!end->message.empty()) throw Error(end->code, end->message);
      return end->code;
    }
    if (const auto* use = std::get_if<UseStore>(&instruction)) {
      store = &own.emplace(use->root, Store::Mode::read_write);
      continue;
    }
    PENSTOCK_CHECK(store != nullptr, "rank 0 says where the store is before anything else");
    if (const auto* groups = std::get_if<WorkInGroups>(&instruction)) {
      work_in_groups(groups->width, nullptr, tools, options, *store);
    } else {
      Events silent;
      call_stage(std::get<StageCall>(instruction), tools, silent, nullptr, *store, nullptr, nullptr);
    }
  }
}

void run_in_groups(int width, Conductor& conductor, const RankTools& tools, const RunOptions& options, Store& store) {
  PENSTOCK_CHECK(tools.ranks.rank() == 0, "rank 0 alone forms groups; the others follow");
  spdlog::info("{} groups of {} side by side", tools.ranks.size() / width, counted(width, "rank"));
  instruct(tools.ranks, WorkInGroups{width});
  work_in_groups(width, &conductor, tools, options, store);
}

}  // namespace penstock::pipeline
