#include "pipeline/store/lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "distributed/world.h"
#include "pipeline/files.h"
#include "pipeline/store/attempt.h"
#include "pipeline/store/sealed_folder.h"
#include "pipeline/value.h"
#include "pipeline/whole_number.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

LeaseHolder new_holder() {
  const ProcessMark mark = this_process();
  LeaseHolder me;
  me.token = unique_suffix();
  me.host = distributed::host_name();
  me.boot = mark.boot;
  me.pid_namespace = mark.pid_namespace;
  me.pid = mark.pid;
  me.started = mark.started;
  me.since = utc_text(std::chrono::system_clock::now());
  return me;
}

// Of one length for one holder, so that a beat overwrites in place.
std::string to_text(const LeaseHolder& holder) {
  return Value{{"token", holder.token},
               {"host", holder.host},
               {"boot", holder.boot},
               {"pid_namespace", holder.pid_namespace},
               {"pid", holder.pid},
               {"started", holder.started},
               {"stage", holder.stage},
               {"since", holder.since},
               {"beat", fmt::format("{:012}", holder.beat)}}
      .dump();
}

std::optional<LeaseHolder> read_holder(const fs::path& file) {
  try {
    const Value json = Value::parse(read_file(file));
    const auto number = [&json](const char* name) { return whole_number<int64_t>(json.at(name)).value(); };
    return LeaseHolder{json.at("token"),         json.at("host"),  json.at("boot"),
                       json.at("pid_namespace"), number("pid"),    number("started"),
                       json.at("stage"),         json.at("since"), std::stoll(json.at("beat").get<std::string>())};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// A second name for a file unless that name is taken: link(2), or where the file system has no hard links a rename that
// replaces nothing; then `from` is gone. 0 or an errno.
int give_name(const fs::path& from, const fs::path& to) {
  if (link(from.c_str(), to.c_str()) == 0) return 0;
  const int problem = errno;
  if (problem == EEXIST || problem == ENOENT) return problem;
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0
         : errno == EEXIST                                                              ? EEXIST
                                                                                        : problem;
}

[[noreturn]] void refuse(const fs::path& file, int problem) {
  const bool device = problem == ENOSPC || problem == EIO || problem == EDQUOT;
  throw Error(device ? ExitCode::io : ExitCode::cannot_create,
              file.string() + ": cannot write: " + std::strerror(problem));
}

}  // namespace

std::string LeaseHolder::described() const { return fmt::format("pid {} on {}, since {}", pid, host, since); }

Lease::Lease(fs::path file, LeaseHolder me, int descriptor, std::chrono::milliseconds beat)
    : file_(std::move(file)),
      me_(std::move(me)),
      descriptor_(descriptor),
      thread_([this, beat] { keep_beating(beat); }) {}

Lease::~Lease() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
  thread_.join();
  close(descriptor_);
  break_lease(file_, me_.token);  // unless another run judged it dead and took it
}

void Lease::keep_beating(std::chrono::milliseconds beat) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, beat, [this] { return released_; })) {
    ++me_.beat;
    const std::string text = to_text(me_);
    [[maybe_unused]] const ssize_t put = pwrite(descriptor_, text.data(), text.size(), 0);
  }
}

Leases::Leases(fs::path folder, LeaseTiming timing) : folder_(std::move(folder)), timing_(timing) {
  static_assert(LeaseTiming().beat < LeaseTiming().dead_after,
                "a living holder would be judged dead between two beats");
  PENSTOCK_CHECK(timing.beat.count() > 0 && timing.dead_after.count() > 0, "a lease's times are above zero");
}

std::unique_ptr<Lease> Leases::take(const Digest& action, const std::string& stage, LeaseHolder* holder) {
  const fs::path file = folder_ / action.hex();
  if (const auto current = read_lease(file)) {
    if (!is_dead(action, *current)) {
      if (holder != nullptr) *holder = *current;
      return nullptr;
    }
    break_lease(file, current->token);
  }
  LeaseHolder me = new_holder();
  me.stage = stage;
  const fs::path mine = file.string() + "." + me.token;
  const int descriptor = open(mine.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) refuse(mine, errno);
  const std::string text = to_text(me);
  errno = ENOSPC;  // what a short write means
  int problem = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
  if (problem == 0) problem = give_name(mine, file);
  // A lost reply of a network file system may report a failed link that was made: the count of names shows it.
  struct stat status = {};
  const bool won = problem == 0 || (fstat(descriptor, &status) == 0 && status.st_nlink == 2);
  unlink(mine.c_str());
  if (won) return std::make_unique<Lease>(file, std::move(me), descriptor, timing_.beat);
  close(descriptor);
  if (problem != EEXIST) refuse(mine, problem);
  if (holder != nullptr) *holder = read_holder(file).value_or(LeaseHolder{});
  return nullptr;
}

bool Leases::is_dead(const Digest& action, const LeaseHolder& holder) {
  const Life life = life_of(holder);
  if (life != Life::unknown) return life == Life::gone;
  const auto now = Clock::now();
  const auto [seen, fresh] = seen_.try_emplace(action, Seen{holder.token, holder.beat, now});
  if (fresh) return false;
  if (seen->second.token != holder.token || seen->second.beat != holder.beat)
    seen->second = {holder.token, holder.beat, now};
  return now - seen->second.since >= timing_.dead_after;
}

std::optional<LeaseHolder> Leases::holder_of(const fs::path& folder, const Digest& action) {
  auto holder = read_holder(folder / action.hex());
  if (holder && life_of(*holder) == Life::gone) return std::nullopt;
  return holder;
}

void break_lease(const fs::path& file, const std::string& token) {
  const auto is_another = [&token](const fs::path& path) {
    const auto holder = read_lease(path);
    return holder && holder->token != token;
  };
  if (is_another(file)) return;
  const fs::path away = file.string() + ".broken." + unique_suffix();
  if (rename(file.c_str(), away.c_str()) != 0) return;
  if (is_another(away)) give_name(away, file);
  unlink(away.c_str());
}

// A file that cannot be read is half a file after a power cut, another user's, or a later version's.
std::optional<LeaseHolder> read_lease(const fs::path& file) {
  if (auto holder = read_holder(file)) return holder;
  struct stat status = {};
  if (stat(file.c_str(), &status) != 0) return std::nullopt;
  LeaseHolder unreadable;
  unreadable.beat = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return unreadable;
}

Life life_of(const LeaseHolder& holder) {
  return life_of(ProcessMark{holder.boot, holder.pid_namespace, holder.pid, holder.started});
}

}  // namespace penstock::pipeline
