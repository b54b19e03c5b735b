#include "distributed/background_reducer.h"

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

class Started final : public Pending {
 public:
  explicit Started(std::future<void> done) : done_(std::move(done)) {}
  void wait() override {
    PENSTOCK_CHECK(done_.valid(), "wait() is called once for each started all-reduce");
    done_.get();
  }

 private:
  std::future<void> done_;
};

}  // namespace

BackgroundReducer::BackgroundReducer(std::unique_ptr<Communicator> ranks)
    : ranks_(std::move(ranks)), thread_([this] { work(); }) {}

BackgroundReducer::~BackgroundReducer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::unique_ptr<Pending> BackgroundReducer::start(Buffer buffer, std::string_view what) {
  Task task{buffer, std::string(what), {}};
  auto pending = std::make_unique<Started>(task.done.get_future());
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
  return pending;
}

void BackgroundReducer::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    try {
      ranks_->all_reduce(task.buffer, task.what);
      task.done.set_value();
    } catch (...) {
      task.done.set_exception(std::current_exception());
    }
  }
}

}  // namespace penstock::distributed
