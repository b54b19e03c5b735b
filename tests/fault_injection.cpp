#include "fault_injection.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

namespace {

struct Plan {
  std::string below, what;
  int at = 0;
  std::atomic<int> calls{0};
};

Plan& plan() {
  static Plan& one = *new Plan;  // outlives every other thing that writes at exit
  static const bool read = [] {
    const char* below = getenv("FAULT_BELOW");
    const char* at = getenv("FAULT_AT");
    const char* what = getenv("FAULT_DO");
    if (below != nullptr && at != nullptr && what != nullptr) one.below = below, one.at = atoi(at), one.what = what;
    return true;
  }();
  static_cast<void>(read);
  return one;
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void hold() {
  const int mark = real<int(const char*, int, ...)>("open")("held", O_WRONLY | O_CREAT, 0644);
  if (mark >= 0) close(mark);
  const timespec long_enough = {600, 0};  // for a test that hangs
  nanosleep(&long_enough, nullptr);
}

enum class Turn { normal, half_then_die, half };

// Counts a call, and does what is planned for it. False: it fails with errno.
bool comes_through(const std::string& path, bool needs_space, Turn* turn = nullptr) {
  Plan& planned = plan();
  if (planned.below.empty() || path.find(planned.below) == std::string::npos) return true;
  const int number = ++planned.calls;
  if (planned.at == 0 || number < planned.at) return true;
  if (planned.what == "ENOSPC" && needs_space) return errno = ENOSPC, false;
  if (number > planned.at) return true;
  if (planned.what == "kill") die();
  if (planned.what == "hold") hold();
  if (planned.what == "EIO") return errno = EIO, false;
  if (planned.what == "half" || planned.what == "short") {
    if (turn != nullptr)
      *turn = planned.what == "half" ? Turn::half_then_die : Turn::half;
    else if (planned.what == "half")
      die();
  }
  return true;
}

std::string path_of(int file) {
  char target[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<size_t>(size));
}

template <typename... Rest>
int open_as(const char* name, const char* path, int flags, Rest... rest) {
  if ((flags & O_CREAT) != 0 && !comes_through(path, true)) return -1;
  static auto* const function = real<int(const char*, int, ...)>(name);
  return function(path, flags, rest...);
}

// With "count", at the end of the process.
__attribute__((destructor)) void write_count() {
  if (plan().what != "count") return;
  const std::string text = std::to_string(plan().calls.load()) + "\n";
  plan().below.clear();
  FILE* const file = fopen("counted", "w");
  if (file == nullptr) return;
  fputs(text.c_str(), file);
  fclose(file);
}

mode_t mode_in(int flags, va_list& list) { return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0; }

}  // namespace

extern "C" {

void arm_fault(const char* below, int at, const char* what) {
  Plan& planned = plan();
  planned.below = below;
  planned.what = what;
  planned.at = at;
  planned.calls = 0;
}

int counted_calls() { return plan().calls; }

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_in(flags, list);
  va_end(list);
  return open_as("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_in(flags, list);
  va_end(list);
  return open_as("open64", path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t count) {
  static auto* const function = real<ssize_t(int, const void*, size_t)>("write");
  if (plan().below.empty()) return function(file, bytes, count);
  Turn turn = Turn::normal;
  if (!comes_through(path_of(file), true, &turn)) return -1;
  if (turn == Turn::normal) return function(file, bytes, count);
  const ssize_t put = function(file, bytes, (count + 1) / 2);
  if (turn == Turn::half_then_die) die();
  return put;
}

int fsync(int file) {
  static auto* const function = real<int(int)>("fsync");
  return plan().below.empty() || comes_through(path_of(file), true) ? function(file) : -1;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const function = real<int(const char*, const char*)>("rename");
  return comes_through(to, true) ? function(from, to) : -1;
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  static auto* const function = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return comes_through(to, true) ? function(from_folder, from, to_folder, to, flags) : -1;
}

int link(const char* from, const char* to) noexcept {
  static auto* const function = real<int(const char*, const char*)>("link");
  return comes_through(to, true) ? function(from, to) : -1;
}

int unlink(const char* path) noexcept {
  static auto* const function = real<int(const char*)>("unlink");
  return comes_through(path, false) ? function(path) : -1;
}

int remove(const char* path) noexcept {
  static auto* const function = real<int(const char*)>("remove");
  return comes_through(path, false) ? function(path) : -1;
}

}  // extern "C"
