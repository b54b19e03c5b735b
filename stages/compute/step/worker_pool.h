// Threads that each run LibTorch with one intra-op thread: the same bits whatever their number. One thread calls run()
// at a time; results are safe to read when it returns.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace penstock::stages {

class WorkerPool {
 public:
  explicit WorkerPool(int workers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()); }
  // Calls body(worker, item) for each item in [0, items), items shared out as workers get free. Blocks; rethrows the
  // first exception.
  void run(int items, const std::function<void(int worker, int item)>& body);

 private:
  void work(int worker);

  std::mutex mutex_;
  std::condition_variable changed_, finished_;
  const std::function<void(int, int)>* body_ = nullptr;
  int next_ = 0, items_ = 0, busy_ = 0;
  std::exception_ptr failure_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace penstock::stages
