// A set of ranks that act together. One object per rank.
//
// Threads: one thread at a time calls the collectives of an object. send, receive and poll may be called by other
// threads meanwhile, as long as each (communicator, tag) is received by one thread.
// "Collective" below means: every rank calls it, in the same order, or the job ends with exit code 76. A buffer may be
// read when the call returns, or after wait().
// Waiting sleeps instead of burning processor time. A rank that throws between collectives must end the job
// (abort) or reach an agreed point: no exception crosses a collective that others will enter.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "distributed/error.h"

namespace penstock::distributed {

enum class DataType { u8, i32, i64, u64, f32, f64 };
enum class Place { host, device };

size_t bytes_of(DataType type);
const char* name_of(DataType type);  // "f32"

// A flat run of `count` elements that the caller owns and keeps alive for the length of the call.
struct Buffer {
  void* data = nullptr;
  size_t count = 0;
  DataType type = DataType::u8;
  Place place = Place::host;

  size_t bytes() const { return count * bytes_of(type); }
};

template <typename T>
constexpr DataType data_type_of();
template <>
constexpr DataType data_type_of<uint8_t>() {
  return DataType::u8;
}
template <>
constexpr DataType data_type_of<int32_t>() {
  return DataType::i32;
}
template <>
constexpr DataType data_type_of<int64_t>() {
  return DataType::i64;
}
template <>
constexpr DataType data_type_of<uint64_t>() {
  return DataType::u64;
}
template <>
constexpr DataType data_type_of<float>() {
  return DataType::f32;
}
template <>
constexpr DataType data_type_of<double>() {
  return DataType::f64;
}

template <typename T>
Buffer buffer_of(T* data, size_t count) {
  return {data, count, data_type_of<T>(), Place::host};
}

inline constexpr int any_rank = -1;

struct Message {
  int from = 0;
  std::string bytes;
};

// A started operation. wait() returns when this rank may read the buffer, and rethrows what went wrong.
class Pending {
 public:
  virtual ~Pending() = default;
  virtual void wait() = 0;
};

// For as long as it lives, this rank takes part in a meeting; see Communicator::meet.
class Meeting {
 public:
  virtual ~Meeting() = default;
};

// The public functions check the arguments and the order of the calls, then call the back-end's own (private). A wrong
// call is a programmer's mistake: Error(internal).
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;  // local: never communicates
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual int rank() const = 0;  // 0 <= rank() < size()
  virtual int size() const = 0;

  // Collectives. `what` names the operation in failure reports ("bucket 3 of step 812"), the same on every rank.
  void barrier(std::string_view what);
  void broadcast(Buffer buffer, int root, std::string_view what);
  // Adds elementwise over all ranks, in place.
  void all_reduce(Buffer buffer, std::string_view what);
  // `all.count == size() * mine.count`; rank r's part begins at r * mine.count. The buffers do not overlap.
  void all_gather(Buffer mine, Buffer all, std::string_view what);
  // Part r of `mine` goes to rank r; part r of `all` came from rank r. Both hold size() equal parts, and do not
  // overlap.
  void all_to_all(Buffer mine, Buffer all, std::string_view what);
  // Ranks of equal `color` form a new world, ordered by (key, rank); color < 0 joins none and gets null.
  std::unique_ptr<Communicator> split(int color, int key, std::string_view what);
  // The same ranks with a message space of their own.
  std::unique_ptr<Communicator> duplicate(std::string_view what);
  // all_reduce in the background, in the order of the calls; the buffer is off limits until wait().
  std::unique_ptr<Pending> start_all_reduce(Buffer buffer, std::string_view what);

  // Point to point; not collective. Messages of one sender and tag arrive in order. Tags: 0..32767.
  void send(int to, int tag, std::string_view bytes);
  // As send, but never waits for the receiver: false, and nothing is sent, while too much is still under way to it.
  bool try_send(int to, int tag, std::string_view bytes);
  Message receive(int from, int tag);  // blocks; `from` may be any_rank
  std::optional<Message> poll(int from, int tag);

  // Local. Ranks that meet by messages instead of a collective say so to the watchdog of this communicator: to it they
  // are in a collective named `what` while the object lives. Null where nothing watches.
  virtual std::unique_ptr<Meeting> meet(std::string_view) { return nullptr; }

  // Ends every rank of the job with this exit code, from any thread. Print and flush the reason first.
  [[noreturn]] void abort(ExitCode code);

 private:
  class Call;  // one collective under way

  virtual void do_barrier(std::string_view what) = 0;
  virtual void do_broadcast(Buffer buffer, int root, std::string_view what) = 0;
  virtual void do_all_reduce(Buffer buffer, std::string_view what) = 0;
  virtual void do_all_gather(Buffer mine, Buffer all, std::string_view what) = 0;
  virtual void do_all_to_all(Buffer mine, Buffer all, std::string_view what) = 0;
  virtual std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) = 0;
  virtual std::unique_ptr<Communicator> do_duplicate(std::string_view what) = 0;
  virtual std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) = 0;
  virtual void do_send(int to, int tag, std::string_view bytes) = 0;
  virtual bool do_try_send(int to, int tag, std::string_view bytes) {
    do_send(to, tag, bytes);
    return true;
  }
  virtual Message do_receive(int from, int tag) = 0;
  virtual std::optional<Message> do_poll(int from, int tag) = 0;
  virtual void do_abort(ExitCode code) = 0;  // does not return
  // Whether broadcast, all_reduce and all_gather take buffers on devices.
  virtual bool takes_device_buffers() const { return false; }

  void check_buffer(const Buffer& buffer, bool on_device_too, std::string_view what) const;
  void check_parts(const Buffer& mine, const Buffer& all, std::string_view what) const;
  void check_message(int rank, int tag, bool any) const;

  std::atomic<bool> in_collective_ = false;
};

}  // namespace penstock::distributed
