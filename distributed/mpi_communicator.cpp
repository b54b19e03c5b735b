// The MPI back-end, libpenstock_mpi.so. Waits sleep: Open MPI's own waits burn a core each.
#include <mpi.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "distributed/background_reducer.h"
#include "distributed/check.h"
#include "distributed/world.h"

namespace penstock::distributed {
namespace {

using Clock = std::chrono::steady_clock;

// A collective of at least this many bytes runs MPI's blocking call once all ranks have arrived: it is faster than
// the non-blocking one, which makes progress only while it is tested.
constexpr size_t blocking_bytes = size_t{64} << 10;
constexpr size_t part_elements = size_t{1} << 30;  // MPI 3 counts are int

void check_mpi(int code, std::string_view what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(ExitCode::ranks, "MPI failed at '" + std::string(what) + "': " + std::string(text, length));
}

// Linux adds 50 us to each sleep of a thread that does not say otherwise.
void sleep_precisely() {
  thread_local const bool said = prctl(PR_SET_TIMERSLACK, 1000UL) == 0;  // nanoseconds
  static_cast<void>(said);
}

// Tests at first without pause (most waits are short), then with growing sleeps up to 1 ms.
template <typename Test>
void wait_until(Test&& done) {
  const auto start = Clock::now();
  auto pause = std::chrono::microseconds(20);
  while (!done()) {
    if (Clock::now() - start < std::chrono::microseconds(100)) continue;
    sleep_precisely();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 3 / 2, std::chrono::microseconds(1000));
  }
}

void wait(MPI_Request& request, std::string_view what) {
  wait_until([&] {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
    return done != 0;
  });
}

MPI_Datatype mpi_type(DataType type) {
  switch (type) {
    case DataType::u8:
      return MPI_UINT8_T;
    case DataType::i32:
      return MPI_INT32_T;
    case DataType::i64:
      return MPI_INT64_T;
    case DataType::u64:
      return MPI_UINT64_T;
    case DataType::f32:
      return MPI_FLOAT;
    case DataType::f64:
      return MPI_DOUBLE;
  }
  PENSTOCK_CHECK(false, "a data type is one of those listed");
}

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm comm) : comm_(comm) {
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  }
  // MPI_Comm_free is collective by the letter, and local in Open MPI; nothing may communicate here, so the handle
  // stays. So do messages that nobody has received: MPI still reads them.
  ~MpiCommunicator() override {
    static auto& kept = *new std::deque<std::map<int, std::deque<Outgoing>>>();
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (!outbox_.empty()) kept.push_back(std::move(outbox_));
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

 private:
  void do_barrier(std::string_view what) override {
    MPI_Request request;
    check_mpi(MPI_Ibarrier(comm_, &request), what);
    wait(request, what);
  }

  void do_broadcast(Buffer buffer, int root, std::string_view what) override {
    in_parts(buffer, [&](void* data, int count) {
      MPI_Request request;
      check_mpi(MPI_Ibcast(data, count, mpi_type(buffer.type), root, comm_, &request), what);
      wait(request, what);
    });
  }

  void do_all_reduce(Buffer buffer, std::string_view what) override {
    const bool blocking = buffer.bytes() >= blocking_bytes;
    if (blocking) do_barrier(what);
    in_parts(buffer, [&](void* data, int count) {
      if (blocking) {
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, data, count, mpi_type(buffer.type), MPI_SUM, comm_), what);
        return;
      }
      MPI_Request request;
      check_mpi(MPI_Iallreduce(MPI_IN_PLACE, data, count, mpi_type(buffer.type), MPI_SUM, comm_, &request), what);
      wait(request, what);
    });
  }

  void do_all_gather(Buffer mine, Buffer all, std::string_view what) override {
    PENSTOCK_CHECK(mine.count <= INT_MAX, "a rank's part of an all_gather has at most 2^31 - 1 elements");
    const int count = static_cast<int>(mine.count);
    if (mine.bytes() >= blocking_bytes) {
      do_barrier(what);
      check_mpi(MPI_Allgather(mine.data, count, mpi_type(mine.type), all.data, count, mpi_type(all.type), comm_), what);
      return;
    }
    MPI_Request request;
    check_mpi(
        MPI_Iallgather(mine.data, count, mpi_type(mine.type), all.data, count, mpi_type(all.type), comm_, &request),
        what);
    wait(request, what);
  }

  void do_all_to_all(Buffer mine, Buffer all, std::string_view what) override {
    const size_t part = mine.count / static_cast<size_t>(size_);
    PENSTOCK_CHECK(part <= INT_MAX, "a rank's part of an all_to_all has at most 2^31 - 1 elements");
    const int count = static_cast<int>(part);
    if (mine.bytes() >= blocking_bytes) {
      do_barrier(what);
      check_mpi(MPI_Alltoall(mine.data, count, mpi_type(mine.type), all.data, count, mpi_type(all.type), comm_), what);
      return;
    }
    MPI_Request request;
    check_mpi(
        MPI_Ialltoall(mine.data, count, mpi_type(mine.type), all.data, count, mpi_type(all.type), comm_, &request),
        what);
    wait(request, what);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, std::string_view what) override {
    MPI_Comm made;
    check_mpi(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, key, &made), what);
    if (made == MPI_COMM_NULL) return nullptr;
    return std::make_unique<MpiCommunicator>(made);
  }

  std::unique_ptr<Communicator> do_duplicate(std::string_view what) override {
    MPI_Comm made;
    check_mpi(MPI_Comm_dup(comm_, &made), what);
    return std::make_unique<MpiCommunicator>(made);
  }

  std::unique_ptr<Pending> do_start_all_reduce(Buffer buffer, std::string_view what) override {
    if (!background_) background_ = std::make_unique<BackgroundReducer>(do_duplicate("the background reducer's ranks"));
    return background_->start(buffer, what);
  }

  void do_send(int to, int tag, std::string_view bytes) override {
    PENSTOCK_CHECK(bytes.size() <= INT_MAX, "a message has at most 2^31 - 1 bytes");
    MPI_Request request;
    check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, tag, comm_, &request), "send");
    wait(request, "send");
  }

  // The bytes are ours until MPI is done with them.
  bool do_try_send(int to, int tag, std::string_view bytes) override {
    const std::lock_guard lock(outbox_mutex_);
    auto& box = outbox_[to];
    for (int done = 1; !box.empty() && done != 0;) {
      check_mpi(MPI_Test(&box.front().request, &done, MPI_STATUS_IGNORE), "send");
      if (done != 0) box.pop_front();
    }
    if (box.size() >= most_under_way) return false;
    Outgoing& out = box.emplace_back(Outgoing{MPI_REQUEST_NULL, std::string(bytes)});
    check_mpi(MPI_Isend(out.bytes.data(), static_cast<int>(out.bytes.size()), MPI_BYTE, to, tag, comm_, &out.request),
              "send");
    return true;
  }

  Message do_receive(int from, int tag) override {
    std::optional<Message> message;
    wait_until([&] { return (message = do_poll(from, tag)).has_value(); });
    return std::move(*message);
  }

  // A matched probe: another thread cannot take the message in between.
  std::optional<Message> do_poll(int from, int tag) override {
    int found = 0;
    MPI_Message handle;
    MPI_Status status;
    check_mpi(MPI_Improbe(from == any_rank ? MPI_ANY_SOURCE : from, tag, comm_, &found, &handle, &status), "poll");
    if (found == 0) return std::nullopt;
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    Message message{status.MPI_SOURCE, std::string(size, '\0')};
    check_mpi(MPI_Mrecv(message.bytes.data(), size, MPI_BYTE, &handle, &status), "receive");
    return message;
  }

  void do_abort(ExitCode code) override {
    spdlog::default_logger()->flush();
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
    std::_Exit(static_cast<int>(code));
  }

  template <typename Part>
  static void in_parts(Buffer buffer, Part&& part) {
    for (size_t done = 0; done < buffer.count; done += part_elements) {
      part(static_cast<char*>(buffer.data) + done * bytes_of(buffer.type),
           static_cast<int>(std::min(part_elements, buffer.count - done)));
    }
  }

  struct Outgoing {
    MPI_Request request;
    std::string bytes;
  };
  static constexpr size_t most_under_way = 64;  // to one rank

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
  std::mutex outbox_mutex_;
  std::map<int, std::deque<Outgoing>> outbox_;
  std::unique_ptr<BackgroundReducer> background_;
};

// Apart from MPI_COMM_WORLD, so that leaving matches no collective of a rank that goes on.
MPI_Comm leaving = MPI_COMM_NULL;

// The end of the process. An orderly end waits for the others; after a failure that the others may not know of, it
// waits two seconds and then ends the job with this process's code.
void leave(int status, void*) {
  int finalised = 0;
  MPI_Finalized(&finalised);
  if (finalised) return;
  MPI_Request request;
  if (MPI_Ibarrier(leaving, &request) != MPI_SUCCESS) return;
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  bool together = false;
  wait_until([&] {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    together = done != 0;
    return together || (status != 0 && Clock::now() > deadline);
  });
  if (together) {
    MPI_Finalize();
  } else {
    MPI_Abort(MPI_COMM_WORLD, status);
  }
}

}  // namespace
}  // namespace penstock::distributed

extern "C" __attribute__((visibility("default"))) std::unique_ptr<penstock::distributed::Communicator>
penstock_mpi_communicator(const penstock::distributed::World& world) {
  using namespace penstock;
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw Error(ExitCode::environment, "MPI could not be initialised");
  }
  MPI_Comm_dup(MPI_COMM_WORLD, &distributed::leaving);
  on_exit(distributed::leave, nullptr);
  if (provided < MPI_THREAD_MULTIPLE) {
    throw Error(ExitCode::environment, "this MPI does not allow calls from several threads (MPI_THREAD_MULTIPLE)");
  }
  auto ranks = std::make_unique<distributed::MpiCommunicator>(MPI_COMM_WORLD);
  if (ranks->size() != world.size || ranks->rank() != world.rank) {
    throw Error(ExitCode::environment, "the launcher says rank " + std::to_string(world.rank) + " of " +
                                           std::to_string(world.size) + ", MPI says " + std::to_string(ranks->rank()) +
                                           " of " + std::to_string(ranks->size()) +
                                           ": is the mpirun of another MPI installation first in PATH?");
  }
  return ranks;
}
