// The samples that a training works on when they do not all stay in memory: read ahead of time in the order in which
// they will be asked for, and kept within a number of bytes. What is asked for and is not here is read at once, so no
// answer depends on what is kept, or on when it was read.
//
// A thread of its own reads ahead, by a quarter of the cache at most; the rest keeps what will be needed soonest. What
// was handed out stays valid whatever the cache does. Any thread may call, but for expect() and passed(): one does.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "stages/compute/data/sample_pixels.h"

namespace penstock::stages {

class SampleCache final : public SampleSource {
 public:
  // Of where the pixels come from. Both are called by any thread; read() throws where a sample cannot be read.
  struct Store {
    std::function<StoredPixels(int number)> read;
    std::function<int64_t(int number)> bytes_of;
  };
  struct Figures {
    int64_t read = 0;           // samples, from the store
    int64_t found = 0;          // times that one was there when it was asked for
    int64_t waited = 0;         // times that one was not
    double waited_seconds = 0;  // for those, over all threads
    int64_t most_bytes = 0;     // that were kept
  };

  // `count` samples, numbered from 0. A sample larger than `limit_bytes` is never kept.
  SampleCache(Store store, int count, int64_t limit_bytes);
  ~SampleCache() override;
  SampleCache(const SampleCache&) = delete;
  SampleCache& operator=(const SampleCache&) = delete;

  // Which samples will be asked for from now on, in order, one call of pixels() each; instead of what was expected.
  void expect(std::vector<int> numbers);
  // The first `count` of these calls were made, or will not be made any more.
  void passed(size_t count);

  SamplePixels pixels(int number) override;

  Figures figures() const;

 private:
  static constexpr size_t never = std::numeric_limits<size_t>::max();
  struct Kept {
    std::shared_ptr<const StoredPixels> pixels;
    std::deque<size_t> waiting;  // expected calls that it was read or kept for
    size_t next = never;         // the first expected call after those
  };
  void work();
  bool advance(std::unique_lock<std::mutex>& lock);
  bool make_room(int64_t bytes);
  void await(int number, Kept& kept);
  void settle(int number, Kept& kept);
  void read_ahead(int number, std::unique_lock<std::mutex>& lock);
  int64_t bytes_of(int number) const { return store_.bytes_of(number); }

  const Store store_;
  const int64_t limit_, ahead_limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;         // for the reading thread
  std::condition_variable read_;            // for those that wait for it
  std::vector<int> expected_;               // numbers
  std::vector<size_t> next_;                // of each expected call: the next one for the same sample
  std::vector<size_t> first_;               // of each sample: its first expected call; never
  size_t passed_ = 0;                       // expected calls that are over
  size_t reached_ = 0;                      // expected calls that the reading thread has seen to
  std::unordered_map<int, Kept> kept_;      // by number
  std::set<std::pair<size_t, int>> spare_;  // kept for no call before reached_: (next, number)
  std::vector<uint16_t> taken_;             // of each sample: expected calls from reached_ on that were made already
  int64_t bytes_ = 0, ahead_ = 0;           // kept, or being read; of those, for calls before reached_
  int reading_ = -1;                        // number of the sample that the thread reads now
  uint64_t plan_ = 0;                       // counts expect()
  bool closing_ = false;
  Figures figures_;
  std::thread thread_;
};

}  // namespace penstock::stages
