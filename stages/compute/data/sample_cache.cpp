#include "stages/compute/data/sample_cache.h"

#include <algorithm>
#include <chrono>

#include "distributed/check.h"

namespace penstock::stages {

SampleCache::SampleCache(Store store, int count, int64_t limit_bytes)
    : store_(std::move(store)),
      limit_(limit_bytes),
      ahead_limit_(limit_bytes / 4),
      first_(static_cast<size_t>(count), never),
      taken_(static_cast<size_t>(count), 0),
      thread_([this] { work(); }) {}

SampleCache::~SampleCache() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SampleCache::expect(std::vector<int> numbers) {
  const std::lock_guard lock(mutex_);
  ++plan_;
  expected_ = std::move(numbers);
  next_.assign(expected_.size(), never);
  std::fill(first_.begin(), first_.end(), never);
  std::fill(taken_.begin(), taken_.end(), uint16_t{0});
  for (size_t at = expected_.size(); at-- > 0;) {
    size_t& first = first_.at(static_cast<size_t>(expected_[at]));
    next_[at] = first;
    first = at;
  }
  passed_ = reached_ = 0;
  ahead_ = 0;
  spare_.clear();
  for (auto& [number, kept] : kept_) {
    kept.waiting.clear();
    kept.next = first_[static_cast<size_t>(number)];
    spare_.emplace(kept.next, number);
  }
  changed_.notify_all();
}

void SampleCache::passed(size_t count) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(count <= expected_.size(), "no more calls pass than were expected");
  for (; passed_ < count; ++passed_) {
    const int number = expected_[passed_];
    if (passed_ >= reached_) {
      uint16_t& taken = taken_[static_cast<size_t>(number)];
      if (taken > 0) --taken;
      continue;
    }
    const auto found = kept_.find(number);
    if (found != kept_.end() && !found->second.waiting.empty() && found->second.waiting.front() == passed_)
      settle(number, found->second);
  }
  reached_ = std::max(reached_, passed_);
  changed_.notify_all();
}

// An expected call more that a kept sample waits for.
void SampleCache::await(int number, Kept& kept) {
  if (kept.waiting.empty()) {
    spare_.erase({kept.next, number});
    ahead_ += bytes_of(number);
  }
  kept.waiting.push_back(reached_);
  kept.next = next_[reached_];
}

// The first call that a kept sample waits for is over.
void SampleCache::settle(int number, Kept& kept) {
  kept.waiting.pop_front();
  if (!kept.waiting.empty()) return;
  ahead_ -= bytes_of(number);
  spare_.emplace(kept.next, number);
}

SamplePixels SampleCache::pixels(int number) {
  std::unique_lock lock(mutex_);
  auto found = kept_.find(number);
  const bool there = found != kept_.end();
  const auto start = std::chrono::steady_clock::now();
  if (!there && reading_ == number) {
    read_.wait(lock, [&] { return reading_ != number; });
    found = kept_.find(number);
  }
  std::shared_ptr<const StoredPixels> pixels;
  if (found != kept_.end()) {
    pixels = found->second.pixels;
    if (!found->second.waiting.empty()) settle(number, found->second);
    changed_.notify_all();
  } else {
    ++taken_.at(static_cast<size_t>(number));
    lock.unlock();
    pixels = std::make_shared<const StoredPixels>(store_.read(number));
    lock.lock();
    ++figures_.read;
  }
  if (there) {
    ++figures_.found;
  } else {
    ++figures_.waited;
    figures_.waited_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return SamplePixels(std::move(pixels));
}

SampleCache::Figures SampleCache::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

// ---- the reading thread ----

void SampleCache::work() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (!advance(lock)) changed_.wait(lock);
  }
}

// Sees to the next expected call. False: there is none, or no room for its sample until others are over.
bool SampleCache::advance(std::unique_lock<std::mutex>& lock) {
  if (reached_ >= expected_.size()) return false;
  const int number = expected_[reached_];
  uint16_t& taken = taken_[static_cast<size_t>(number)];
  const int64_t bytes = bytes_of(number);
  if (taken > 0 || bytes > limit_) {
    if (taken > 0) --taken;
    ++reached_;
    return true;
  }
  if (ahead_ > 0 && ahead_ + bytes > ahead_limit_) return false;
  if (const auto found = kept_.find(number); found != kept_.end()) {
    await(number, found->second);
    ++reached_;
    return true;
  }
  if (!make_room(bytes)) return false;
  read_ahead(number, lock);
  return true;
}

// Lets go of what is needed last.
bool SampleCache::make_room(int64_t bytes) {
  while (bytes_ + bytes > limit_ && !spare_.empty()) {
    const auto last = std::prev(spare_.end());
    bytes_ -= bytes_of(last->second);
    kept_.erase(last->second);
    spare_.erase(last);
  }
  return bytes_ + bytes <= limit_;
}

void SampleCache::read_ahead(int number, std::unique_lock<std::mutex>& lock) {
  const int64_t bytes = bytes_of(number);
  const uint64_t plan = plan_;
  const size_t at = reached_;
  bytes_ += bytes;
  figures_.most_bytes = std::max(figures_.most_bytes, bytes_);
  reading_ = number;
  lock.unlock();
  std::shared_ptr<const StoredPixels> pixels;
  try {
    pixels = std::make_shared<const StoredPixels>(store_.read(number));
  } catch (...) {  // whoever asks for it reads it again, and gets the error
  }
  lock.lock();
  reading_ = -1;
  figures_.read += pixels != nullptr;
  const bool current = plan == plan_, asked = current && reached_ == at;  // while it was read, nothing stood still
  if (pixels == nullptr) {
    bytes_ -= bytes;
  } else {
    Kept& kept = kept_[number];
    kept.pixels = std::move(pixels);
    kept.next = current ? next_[at] : first_[static_cast<size_t>(number)];
    spare_.emplace(kept.next, number);
    if (asked) await(number, kept);
  }
  if (asked) ++reached_;
  read_.notify_all();
}

}  // namespace penstock::stages
