// How well the reducer hides a slow link: step time against the bound max(compute, communication) + last bucket, with
// ranks as threads, a link that sleeps and a compute that sleeps, so that processors decide nothing.
//
//   build/release/overlap_benchmark
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "distributed/local_communicator.h"
#include "distributed/reducer/gradient_reducer.h"

namespace {

using namespace penstock::distributed;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Takes given times one after the other; a sleep that was too long shortens the next.
class Sleeper {
 public:
  void sleep(double seconds) {
    const auto now = Clock::now();
    if (until_ < now - std::chrono::milliseconds(2)) until_ = now;  // it was idle
    until_ += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::this_thread::sleep_until(until_);
  }

 private:
  Clock::time_point until_;
};

// Moves nothing, and takes as long as a link of this speed would for an all-reduce of the same bytes.
class SleepingLink final : public Communicator {
 public:
  SleepingLink(Communicator& ranks, double bytes_per_second) : ranks_(&ranks), speed_(bytes_per_second) {}
  SleepingLink(std::unique_ptr<Communicator> ranks, double bytes_per_second)
      : owned_(std::move(ranks)), ranks_(owned_.get()), speed_(bytes_per_second) {}

  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  void do_barrier(std::string_view what) override { ranks_->barrier(what); }
  void do_broadcast(Buffer buffer, int root, std::string_view what) override { ranks_->broadcast(buffer, root, what); }
  void do_all_reduce(Buffer buffer, std::string_view what) override { take(buffer, what); }
  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override { ranks_->all_gather(mine, all, what); }
  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override { ranks_->all_to_all(mine, all, what); }
  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    return ranks_->split(color, key, what);
  }
  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override {
    return std::make_unique<SleepingLink>(ranks_->duplicate(what), speed_);
  }
  std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    return ranks_->start_all_reduce(buffer, what);
  }
  void do_send(int to, int tag, std::string_view bytes) override { ranks_->send(to, tag, bytes); }
  Message do_receive(int from, int tag) override { return ranks_->receive(from, tag); }
  std::optional<Message> do_poll(int from, int tag) override { return ranks_->poll(from, tag); }
  void do_abort(penstock::ExitCode code) override { ranks_->abort(code); }

 private:
  void take(Buffer buffer, std::string_view what) {
    ranks_->barrier(what);
    sleeper_.sleep(static_cast<double>(buffer.bytes()) / speed_);
  }

  std::unique_ptr<Communicator> owned_;
  Communicator* ranks_;
  double speed_;
  Sleeper sleeper_;
};

constexpr int steps = 20, warm_up = 2, ranks = 2;
constexpr double compute_seconds = 0.2;  // of a backward

double share_of(const Bucket& bucket, size_t length) {
  return static_cast<double>(bucket.end - bucket.begin) / static_cast<double>(length);
}

// Median seconds of a step: a backward that sleeps before each bucket, as long as its part of the vector says.
double step_seconds(const std::vector<Bucket>& buckets, double bytes_per_second, bool overlap) {
  std::vector<double> seconds;
  run_local_ranks(ranks, [&](Communicator& local) {
    SleepingLink link(local, bytes_per_second);
    GradientReducer reducer(link, buckets, {ranks, Reproducible::run, overlap});
    for (int step = -warm_up; step < steps; ++step) {
      local.barrier("bench");
      const auto start = Clock::now();
      reducer.begin("step");
      Sleeper backward;
      for (size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        backward.sleep(compute_seconds * share_of(buckets[bucket], reducer.length()));
        reducer.ready(local.rank(), bucket);
      }
      reducer.finish();
      if (local.rank() == 0 && step >= 0) seconds.push_back(seconds_since(start));
    }
  });
  std::nth_element(seconds.begin(), seconds.begin() + steps / 2, seconds.end());
  return seconds[steps / 2];
}

}  // namespace

int main() {
  constexpr size_t slot = 50'000, slots = 100;
  const auto buckets = standard_buckets(std::vector<size_t>(slots, slot), 0);
  const double last = share_of(buckets.back(), slot * slots);
  std::printf("%zu buckets, the last %.1f %% of the whole; compute %.0f ms\n", buckets.size(), last * 100,
              compute_seconds * 1e3);
  bool good = true;
  for (const double link_seconds : {0.02, 0.05, 0.1, 0.2, 0.4}) {
    const double speed = slot * slots * sizeof(float) / link_seconds;
    const double bound = std::max(compute_seconds, link_seconds) + last * link_seconds;
    const double with = step_seconds(buckets, speed, true), without = step_seconds(buckets, speed, false);
    good &= with <= 1.05 * bound;
    std::printf(
        "communication %3.0f ms: step %5.1f ms with overlap, %5.1f without; max(compute, communication) + last bucket "
        "%5.1f ms, ratio %.3f\n",
        link_seconds * 1e3, with * 1e3, without * 1e3, bound * 1e3, with / bound);
  }
  return good ? 0 : 1;
}
