#include "stages/compute/step/worker_pool.h"

#include <ATen/Parallel.h>

namespace penstock::stages {

WorkerPool::WorkerPool(int workers) {
  for (int worker = 0; worker < workers; ++worker) threads_.emplace_back([this, worker] { work(worker); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(int items, const std::function<void(int, int)>& body) {
  std::unique_lock lock(mutex_);
  body_ = &body;
  next_ = 0;
  items_ = items;
  failure_ = nullptr;
  changed_.notify_all();
  finished_.wait(lock, [this] { return next_ >= items_ && busy_ == 0; });
  body_ = nullptr;
  items_ = 0;
  if (failure_) std::rethrow_exception(failure_);
}

void WorkerPool::work(int worker) {
  at::set_num_threads(1);  // of this thread's own operations
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || next_ < items_; });
    if (closing_) return;
    const int item = next_++;
    ++busy_;
    const auto* body = body_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*body)(worker, item);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --busy_;
    if (failure) {
      if (!failure_) failure_ = failure;
      next_ = items_;
    }
    if (next_ >= items_ && busy_ == 0) finished_.notify_all();
  }
}

}  // namespace penstock::stages
