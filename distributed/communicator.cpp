#include "distributed/communicator.h"

#include <fmt/format.h>

#include <exception>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr int largest_tag = 32767;

bool overlap(const Buffer& a, const Buffer& b) {
  const auto begin = [](const Buffer& one) { return reinterpret_cast<uintptr_t>(one.data); };
  return begin(a) < begin(b) + b.bytes() && begin(b) < begin(a) + a.bytes();
}

}  // namespace

size_t bytes_of(DataType type) {
  switch (type) {
    case DataType::u8:
      return 1;
    case DataType::i32:
    case DataType::f32:
      return 4;
    case DataType::i64:
    case DataType::u64:
    case DataType::f64:
      return 8;
  }
  PENSTOCK_CHECK(false, "a data type is one of those listed");
}

const char* name_of(DataType type) {
  switch (type) {
    case DataType::u8:
      return "u8";
    case DataType::i32:
      return "i32";
    case DataType::i64:
      return "i64";
    case DataType::u64:
      return "u64";
    case DataType::f32:
      return "f32";
    case DataType::f64:
      return "f64";
  }
  PENSTOCK_CHECK(false, "a data type is one of those listed");
}

// Two threads in collectives of one communicator would pair their operations with those of other ranks by chance.
class Communicator::Call {
 public:
  Call(Communicator& ranks, std::string_view what) : inside_(ranks.in_collective_) {
    PENSTOCK_CHECK(!inside_.exchange(true),
                   fmt::format("'{}' began while another thread is in a collective of the same communicator; "
                               "collectives of one communicator come one at a time",
                               what));
  }
  ~Call() { inside_.store(false); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  std::atomic<bool>& inside_;
};

void Communicator::check_buffer(const Buffer& buffer, bool on_device_too, std::string_view what) const {
  PENSTOCK_CHECK(buffer.data != nullptr || buffer.count == 0,
                 fmt::format("'{}': a buffer of {} elements has memory, is null", what, buffer.count));
  PENSTOCK_CHECK(buffer.place == Place::host || (on_device_too && takes_device_buffers()),
                 fmt::format("'{}': this collective of this communicator takes host buffers, found a device's", what));
}

void Communicator::check_parts(const Buffer& mine, const Buffer& all, std::string_view what) const {
  PENSTOCK_CHECK(mine.type == all.type && mine.place == all.place,
                 fmt::format("'{}': both buffers have one type and place, found {} and {}", what, name_of(mine.type),
                             name_of(all.type)));
  PENSTOCK_CHECK(mine.count == 0 || !overlap(mine, all), fmt::format("'{}': the two buffers do not overlap", what));
}

void Communicator::check_message(int rank, int tag, bool any) const {
  PENSTOCK_CHECK((rank >= 0 && rank < size()) || (any && rank == any_rank),
                 fmt::format("a message is between ranks 0 to {}, found rank {}", size() - 1, rank));
  PENSTOCK_CHECK(tag >= 0 && tag <= largest_tag, fmt::format("a tag is from 0 to {}, found {}", largest_tag, tag));
}

void Communicator::barrier(std::string_view what) {
  const Call call(*this, what);
  do_barrier(what);
}

void Communicator::broadcast(Buffer buffer, int root, std::string_view what) {
  check_buffer(buffer, true, what);
  PENSTOCK_CHECK(root >= 0 && root < size(),
                 fmt::format("'{}': the root is a rank from 0 to {}, found {}", what, size() - 1, root));
  const Call call(*this, what);
  do_broadcast(buffer, root, what);
}

void Communicator::all_reduce(Buffer buffer, std::string_view what) {
  check_buffer(buffer, true, what);
  const Call call(*this, what);
  do_all_reduce(buffer, what);
}

void Communicator::all_gather(Buffer mine, Buffer all, std::string_view what) {
  check_buffer(mine, true, what);
  check_buffer(all, true, what);
  check_parts(mine, all, what);
  PENSTOCK_CHECK(all.count == mine.count * static_cast<size_t>(size()),
                 fmt::format("'{}': all_gather's target holds one part of {} elements for each of {} ranks, found {}",
                             what, mine.count, size(), all.count));
  const Call call(*this, what);
  do_all_gather(mine, all, what);
}

void Communicator::all_to_all(Buffer mine, Buffer all, std::string_view what) {
  check_buffer(mine, false, what);
  check_buffer(all, false, what);
  check_parts(mine, all, what);
  PENSTOCK_CHECK(mine.count == all.count && mine.count % static_cast<size_t>(size()) == 0,
                 fmt::format("'{}': all_to_all sends and receives an equal part for each of {} ranks, found buffers of "
                             "{} and {} elements",
                             what, size(), mine.count, all.count));
  const Call call(*this, what);
  do_all_to_all(mine, all, what);
}

std::unique_ptr<Communicator> Communicator::split(int color, int key, std::string_view what) {
  const Call call(*this, what);
  return do_split(color, key, what);
}

std::unique_ptr<Communicator> Communicator::duplicate(std::string_view what) {
  const Call call(*this, what);
  return do_duplicate(what);
}

std::unique_ptr<Pending> Communicator::start_all_reduce(Buffer buffer, std::string_view what) {
  check_buffer(buffer, false, what);
  const Call call(*this, what);
  return do_start_all_reduce(buffer, what);
}

void Communicator::send(int to, int tag, std::string_view bytes) {
  check_message(to, tag, false);
  do_send(to, tag, bytes);
}

bool Communicator::try_send(int to, int tag, std::string_view bytes) {
  check_message(to, tag, false);
  return do_try_send(to, tag, bytes);
}

Message Communicator::receive(int from, int tag) {
  check_message(from, tag, true);
  return do_receive(from, tag);
}

std::optional<Message> Communicator::poll(int from, int tag) {
  check_message(from, tag, true);
  return do_poll(from, tag);
}

void Communicator::abort(ExitCode code) {
  do_abort(code);
  std::terminate();  // a back-end's abort does not return
}

}  // namespace penstock::distributed
