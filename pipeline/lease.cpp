#include "pipeline/lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <sstream>

#include "distributed/error.h"
#include "pipeline/attempt.h"
#include "pipeline/files.h"
#include "pipeline/sealed_folder.h"
#include "pipeline/value.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string first_word(const char* file) {
  std::ifstream in(file);
  std::string word;
  in >> word;
  return word;
}

std::string link_target(const char* path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path, target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<size_t>(size));
}

// Field 22 of /proc/<pid>/stat: when the process started, in clock ticks since boot; -1 when there is no such process.
int64_t start_of(int64_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(in, text)) return -1;
  std::istringstream fields(text.substr(text.rfind(')') + 1));  // a program's name may hold anything but this order
  std::string word;
  for (int field = 3; field <= 22; ++field) fields >> word;
  return fields ? std::stoll(word) : -1;
}

LeaseHolder this_process() {
  static const std::string boot = first_word("/proc/sys/kernel/random/boot_id"), space = link_target("/proc/self/ns/pid");
  LeaseHolder me;
  me.token = unique_suffix();
  me.host = host_name();
  me.boot = boot;
  me.pid_namespace = space;
  me.pid = getpid();
  me.started = start_of(me.pid);
  me.since = utc_text(std::chrono::system_clock::now());
  return me;
}

// Of one length for one holder, so that a beat overwrites in place.
std::string to_text(const LeaseHolder& holder) {
  return Value{{"token", holder.token}, {"host", holder.host}, {"boot", holder.boot}, {"pid_namespace", holder.pid_namespace}, {"pid", holder.pid},
               {"started", holder.started}, {"stage", holder.stage}, {"since", holder.since}, {"beat", fmt::format("{:012}", holder.beat)}}
      .dump();
}

std::optional<LeaseHolder> read_holder(const fs::path& file) {
  try {
    const Value json = Value::parse(read_file(file));
    return LeaseHolder{json.at("token"), json.at("host"), json.at("boot"), json.at("pid_namespace"), json.at("pid"), json.at("started"), json.at("stage"),
                       json.at("since"), std::stoll(json.at("beat").get<std::string>())};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

bool is_of_this_machine(const LeaseHolder& holder) {
  const LeaseHolder me = this_process();
  return holder.boot == me.boot && holder.pid_namespace == me.pid_namespace;
}

bool process_is_gone(const LeaseHolder& holder) { return start_of(holder.pid) != holder.started; }

}  // namespace

std::string LeaseHolder::described() const { return fmt::format("pid {} on {}, since {}", pid, host, since); }

Lease::Lease(fs::path file, LeaseHolder me, int descriptor, std::chrono::milliseconds beat)
    : file_(std::move(file)), me_(std::move(me)), descriptor_(descriptor), thread_([this, beat] { keep_beating(beat); }) {}

Lease::~Lease() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
  thread_.join();
  close(descriptor_);
  const auto holder = read_holder(file_);
  if (holder && holder->token == me_.token) unlink(file_.c_str());  // unless somebody thought it dead and took it
}

void Lease::keep_beating(std::chrono::milliseconds beat) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, beat, [this] { return released_; })) {
    ++me_.beat;
    const std::string text = to_text(me_);
    [[maybe_unused]] const ssize_t put = pwrite(descriptor_, text.data(), text.size(), 0);
  }
}

Leases::Leases(fs::path folder, LeaseTiming timing) : folder_(std::move(folder)), timing_(timing) {}

std::unique_ptr<Lease> Leases::take(const Digest& action, const std::string& stage, LeaseHolder* holder) {
  const fs::path file = folder_ / action.hex();
  auto current = read_holder(file);
  if (!current && fs::exists(file)) current = LeaseHolder();  // half a file: it beats no more
  if (current) {
    if (!is_dead(action, *current)) {
      if (holder != nullptr) *holder = *current;
      return nullptr;
    }
    break_lease(action, *current);
  }
  LeaseHolder me = this_process();
  me.stage = stage;
  const fs::path mine = file.string() + "." + me.token;
  const int descriptor = open(mine.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const std::string text = to_text(me);
  if (descriptor < 0 || write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const int problem = errno;
    if (descriptor >= 0) close(descriptor);
    unlink(mine.c_str());
    throw Error(problem == ENOSPC || problem == EIO || problem == EDQUOT ? ExitCode::io : ExitCode::cannot_create,
                mine.string() + ": cannot write: " + std::strerror(problem));
  }
  // A lost reply of a network file system may say that a link failed which was made: the count of names tells.
  struct stat status = {};
  bool won = link(mine.c_str(), file.c_str()) == 0 || (fstat(descriptor, &status) == 0 && status.st_nlink == 2);
  if (!won && errno != EEXIST) won = renameat2(AT_FDCWD, mine.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) == 0;  // no hard links here
  unlink(mine.c_str());
  if (won) return std::make_unique<Lease>(file, std::move(me), descriptor, timing_.beat);
  close(descriptor);
  if (holder != nullptr) *holder = read_holder(file).value_or(LeaseHolder{});
  return nullptr;
}

bool Leases::is_dead(const Digest& action, const LeaseHolder& holder) {
  if (is_of_this_machine(holder)) return process_is_gone(holder);
  const auto now = Clock::now();
  const auto [seen, fresh] = seen_.try_emplace(action, Seen{holder.token, holder.beat, now});
  if (fresh) return false;
  if (seen->second.token != holder.token || seen->second.beat != holder.beat) seen->second = {holder.token, holder.beat, now};
  return now - seen->second.since >= timing_.dead_after;
}

// Takes the file away under a name of its own, and puts it back when it is no longer the one that was judged.
void Leases::break_lease(const Digest& action, const LeaseHolder& holder) const {
  const fs::path file = folder_ / action.hex();
  const fs::path away = file.string() + ".broken." + unique_suffix();
  if (rename(file.c_str(), away.c_str()) != 0) return;
  const auto taken = read_holder(away);
  if (taken && taken->token != holder.token) {
    [[maybe_unused]] const int back = link(away.c_str(), file.c_str());
  }
  unlink(away.c_str());
}

std::optional<LeaseHolder> Leases::holder_of(const fs::path& folder, const Digest& action) {
  auto holder = read_holder(folder / action.hex());
  if (holder && is_of_this_machine(*holder) && process_is_gone(*holder)) return std::nullopt;
  return holder;
}

}  // namespace penstock::pipeline
