#include "distributed/watchdog/collective_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr size_t longest_what = 80;  // a message of a beat holds several

double seconds_since(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - time).count();
}

}  // namespace

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::barrier:
      return "barrier";
    case Operation::broadcast:
      return "broadcast";
    case Operation::all_reduce:
      return "all_reduce";
    case Operation::all_gather:
      return "all_gather";
    case Operation::all_to_all:
      return "all_to_all";
    case Operation::split:
      return "split";
    case Operation::duplicate:
      return "duplicate";
    case Operation::meeting:
      return "meeting";
  }
  return "?";
}

CollectiveLog::Side& CollectiveLog::join(Joined joined) {
  const std::lock_guard lock(mutex_);
  for (Unheard& listener : unheard_) listener.joined.push_back(joined);
  sides_.push_back({std::move(joined), 0, false, {}});
  return sides_.back();
}

void CollectiveLog::drop(Side& side) {
  const std::lock_guard lock(mutex_);
  for (Unheard& listener : unheard_) listener.dropped.push_back(side.joined.among);
  sides_.remove_if([&side](const Side& one) { return &one == &side; });
}

uint64_t CollectiveLog::enter(Side& side, Operation operation, DataType type, int root, uint64_t bytes,
                              std::string_view what) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(!side.inside,
                 fmt::format("'{}' is entered after the communicator's previous collective was left", what));
  moved_ = side.since = std::chrono::steady_clock::now();
  side.inside = true;
  if (ring_.size() < kept) ring_.emplace_back();
  Entered& entry = ring_[entries_++ % kept];
  entry.among = side.joined.among;
  entry.number = ++side.number;
  entry.collective.operation = operation;
  entry.collective.type = type;
  entry.collective.root = root;
  entry.collective.bytes = bytes;
  entry.collective.what.assign(what.substr(0, longest_what));  // in place: no allocation once the ring is full
  return side.number;
}

void CollectiveLog::leave(Side& side) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(side.inside, "a collective is left once, after it was entered");
  side.inside = false;
  moved_ = std::chrono::steady_clock::now();
}

std::vector<Inside> CollectiveLog::inside() const {
  const std::lock_guard lock(mutex_);
  std::vector<Inside> all;
  for (const Side& side : sides_) {
    if (side.inside) all.push_back({side.joined.among, side.number, seconds_since(side.since)});
  }
  return all;
}

double CollectiveLog::still_seconds() const {
  const std::lock_guard lock(mutex_);
  return seconds_since(moved_);
}

CollectiveLog::News CollectiveLog::news(int listener, size_t at_most) {
  PENSTOCK_CHECK(listener >= 0 && static_cast<size_t>(listener) < unheard_.size(),
                 fmt::format("listeners are 0 to {}, found {}", unheard_.size() - 1, listener));
  const std::lock_guard lock(mutex_);
  Unheard& unheard = unheard_[listener];
  News news{std::exchange(unheard.joined, {}), {}, {}};
  if (entries_ > kept) unheard.entries = std::max(unheard.entries, entries_ - kept);
  while (unheard.entries < entries_ && news.entered.size() < at_most)
    news.entered.push_back(ring_[unheard.entries++ % kept]);
  if (unheard.entries == entries_)
    news.dropped = std::exchange(unheard.dropped, {});  // no entry of a dropped communicator is left
  return news;
}

}  // namespace penstock::distributed
