#include "pipeline/process_mark.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>

namespace penstock::pipeline {
namespace {

constexpr size_t boot_digits = 8;  // of the boot id, in a name

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

// What /proc/<pid>/stat says: fields 3 (state) and 22 (when it started); nullopt when there is no such file.
struct Status {
  char state = '?';
  int64_t started = -1;
};
std::optional<Status> status_of(int64_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  std::istringstream fields(text.substr(text.rfind(')') + 1));  // a program's name may hold anything but this order
  Status status;
  fields >> status.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> status.started;
  return status;
}

std::string digits_of(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits.empty() ? "0" : digits;
}

}  // namespace

ProcessMark this_process() {
  static const std::string boot = first_word("/proc/sys/kernel/random/boot_id"),
                           space = link_target("/proc/self/ns/pid");
  const int64_t pid = getpid();
  return {boot, space, pid, status_of(pid).value_or(Status()).started};
}

Life life_of(const ProcessMark& mark) {
  const ProcessMark me = this_process();
  if (mark.boot.empty() || !me.boot.starts_with(mark.boot) ||
      digits_of(mark.pid_namespace) != digits_of(me.pid_namespace))
    return Life::unknown;
  const auto status = status_of(mark.pid);
  if (!status)
    return kill(static_cast<pid_t>(mark.pid), 0) == 0 || errno == EPERM ? Life::unknown
                                                                        : Life::gone;  // EPERM: hidden from this user
  return status->started == mark.started && status->state != 'Z' && status->state != 'X' ? Life::alive : Life::gone;
}

std::string unique_suffix() {
  static std::mutex mutex;
  static std::string process;
  static pid_t pid = 0;
  static std::atomic<int> count{0};
  const std::lock_guard lock(mutex);
  if (pid != getpid()) {  // a forked child is a process of its own
    const ProcessMark me = this_process();
    pid = getpid();
    process = fmt::format("{}-{}-{}-{}-{:08x}", me.boot.substr(0, boot_digits), digits_of(me.pid_namespace), me.pid,
                          me.started, std::random_device()());
  }
  return fmt::format("{}.{}", process, ++count);
}

std::optional<ProcessMark> mark_in(std::string_view name) {
  std::istringstream parts{std::string(name)};
  for (std::string part; std::getline(parts, part, '.');) {
    char boot[boot_digits + 1] = {}, space[24] = {};
    long long pid = 0, started = 0;
    unsigned random = 0;
    int end = 0;
    const int read =
        std::sscanf(part.c_str(), "%8[0-9a-f]-%23[0-9]-%lld-%lld-%8x%n", boot, space, &pid, &started, &random, &end);
    if (read == 5 && static_cast<size_t>(end) == part.size()) return ProcessMark{boot, space, pid, started};
  }
  return std::nullopt;
}

}  // namespace penstock::pipeline
