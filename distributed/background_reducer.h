// Runs all_reduce on its own thread, in the order of the calls: start_all_reduce of every back-end is made of it.
// Called by the thread that owns the communicator; a buffer may be read after its wait().
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "distributed/communicator.h"

namespace penstock::distributed {

// `ranks` is a duplicate that nothing else uses. The destructor finishes what was started.
class BackgroundReducer {
 public:
  explicit BackgroundReducer(std::unique_ptr<Communicator> ranks);
  ~BackgroundReducer();

  std::unique_ptr<Pending> start(Buffer buffer, std::string_view what);

 private:
  struct Task {
    Buffer buffer;
    std::string what;
    std::promise<void> done;
  };
  void work();

  std::unique_ptr<Communicator> ranks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace penstock::distributed
