// A set of ranks that act together. One object per rank.
//
// Threads: the collectives of one object are called by one thread at a time. send, receive and poll may be called
// from other threads at the same time, as long as each (communicator, tag) is received by one thread.
// "Collective" below means: every rank calls it, in the same order, or the job ends with exit code 76.
// Waiting sleeps instead of burning processor time. A rank that throws between collectives must end the job
// (abort) or reach an agreed point: no exception crosses a collective that others will enter.
#pragma once

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

class Communicator {
 public:
  virtual ~Communicator() = default;  // local: never communicates
  virtual int rank() const = 0;       // 0 <= rank() < size()
  virtual int size() const = 0;

  // Collectives. `what` names the operation in failure reports ("bucket 3 of step 812"), the same on every rank.
  virtual void barrier(std::string_view what) = 0;
  virtual void broadcast(Buffer buffer, int root, std::string_view what) = 0;
  // Adds elementwise over all ranks, in place.
  virtual void all_reduce(Buffer buffer, std::string_view what) = 0;
  // `all.count == size() * mine.count`; rank r's part begins at r * mine.count.
  virtual void all_gather(Buffer mine, Buffer all, std::string_view what) = 0;
  // Part r of `mine` goes to rank r; part r of `all` came from rank r. Both hold size() equal parts.
  virtual void all_to_all(Buffer mine, Buffer all, std::string_view what) = 0;
  // Ranks of equal `color` form a new world, ordered by (key, rank); color < 0 joins none and gets null.
  virtual std::unique_ptr<Communicator> split(int color, int key, std::string_view what) = 0;
  // The same ranks with a message space of their own.
  virtual std::unique_ptr<Communicator> duplicate(std::string_view what) = 0;
  // all_reduce in the background, in the order of the calls; the buffer is off limits until wait().
  virtual std::unique_ptr<Pending> start_all_reduce(Buffer buffer, std::string_view what) = 0;

  // Point to point; not collective. Messages of one sender and tag arrive in order. Tags: 0..32767.
  virtual void send(int to, int tag, std::string_view bytes) = 0;
  // As send, but never waits for the receiver: false, and nothing is sent, while too much is still under way to it.
  virtual bool try_send(int to, int tag, std::string_view bytes) {
    send(to, tag, bytes);
    return true;
  }
  virtual Message receive(int from, int tag) = 0;  // blocks; `from` may be any_rank
  virtual std::optional<Message> poll(int from, int tag) = 0;

  // Ends every rank of the job with this exit code, from any thread. Print and flush the reason first.
  [[noreturn]] virtual void abort(ExitCode code) = 0;
};

}  // namespace penstock::distributed
