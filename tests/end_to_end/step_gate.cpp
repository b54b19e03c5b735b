// A library for LD_PRELOAD of a job: its ranks stop in a named step of training, so that a test meets them there
// however fast the machine is. It stands in for functions of the program, which knows nothing of it. By environment:
//
//   GATE_STEP=n             a rank that has begun step n makes the file `at-gate-<rank>` in its working directory and
//                           stays in the step until the file `gate-open` is there
//   GATE_TIME=k             only when it begins that step for the k-th time (a sweep trains often in one process)
//   GATE_OPENS_ON_SIGNAL=1  a rank opens the gate itself, once the program's handler for SIGUSR1, SIGTERM or SIGINT has
//                           run; mpirun then sends its SIGKILL, a second after SIGTERM, only to ranks that have ended
//   TIME_ENDS_AFTER_STEPS=n no time is left (of --time-budget) once a process has begun so many steps
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "distributed/watchdog/watch.h"

namespace {

using penstock::distributed::Activity;
using penstock::distributed::Watch;

constexpr const char* open_mark = "gate-open";
constexpr int longest_wait_seconds = 600;  // for a test that hangs

int number_in(const char* name) {
  const char* text = getenv(name);
  return text == nullptr ? -1 : atoi(text);
}

// -1: mpirun, or a shell.
int own_rank() {
  static const int rank = number_in("OMPI_COMM_WORLD_RANK");
  return rank;
}

bool opens_on_signal() {
  static const bool opens = number_in("GATE_OPENS_ON_SIGNAL") == 1;
  return opens;
}

template <typename Function>
Function* real(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    fprintf(stderr, "step_gate: there is no %s; distributed/watchdog/watch.h declares something else\n", name);
    abort();
  }
  return reinterpret_cast<Function*>(found);
}

void make_file(const char* name) {
  const int file = open(name, O_WRONLY | O_CREAT, 0644);
  if (file >= 0) close(file);
}

// Looks every other millisecond; ends the process when its parent is gone, or after far too long.
template <typename Condition>
void wait_until(Condition&& there, const char* what) noexcept {
  const pid_t parent = getppid();
  for (int looks = 0; !there(); ++looks) {
    const timespec moment = {0, 2'000'000};
    nanosleep(&moment, nullptr);
    if (getppid() != parent) _exit(1);
    if (looks > longest_wait_seconds * 500) fprintf(stderr, "step_gate: waited too long for %s\n", what), abort();
  }
}

std::atomic<int> steps_begun{0}, times_at_step{0}, beats{0};

// In step GATE_STEP, by the watch's account. What the others last heard of this rank is then this step too: its
// watchdog has reported it when it looks at the watch for the second time.
void stand_at_gate() noexcept {
  const int before = beats.load();
  wait_until([before] { return beats.load() >= before + 2; }, "the watchdog's beats");
  make_file(("at-gate-" + std::to_string(own_rank())).c_str());
  wait_until([] { return access(open_mark, F_OK) == 0; }, open_mark);
}

bool is_gate(const std::string& what) {
  static const int step = number_in("GATE_STEP"), time = number_in("GATE_TIME");
  return step >= 0 && what == "step " + std::to_string(step) && ++times_at_step == (time < 1 ? 1 : time);
}

// ---- signals ----

using Handler = void (*)(int);
Handler handlers[NSIG];

void handle_and_open(int signal) {
  handlers[signal](signal);
  const int problem = errno;
  make_file(open_mark);
  errno = problem;
}

bool is_running(pid_t process) {
  char name[64], text[256] = {};
  snprintf(name, sizeof name, "/proc/%d/stat", process);
  const int file = open(name, O_RDONLY);
  if (file < 0) return false;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 && strstr(text, ") Z") == nullptr;
}

}  // namespace

extern "C" {

int sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
  static auto* const function = real<int(int, const struct sigaction*, struct sigaction*)>("sigaction");
  const bool stops = signal == SIGUSR1 || signal == SIGTERM || signal == SIGINT;
  if (!stops || !opens_on_signal() || own_rank() < 0 || action == nullptr || (action->sa_flags & SA_SIGINFO) != 0 ||
      action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)
    return function(signal, action, old);
  handlers[signal] = action->sa_handler;
  struct sigaction opening = *action;
  opening.sa_handler = handle_and_open;
  return function(signal, &opening, old);
}

int kill(pid_t process, int signal) noexcept {
  static auto* const function = real<int(pid_t, int)>("kill");
  const pid_t rank = process < 0 ? -process : process;  // or its group
  if (signal == SIGKILL && opens_on_signal() && own_rank() < 0)
    wait_until([rank] { return !is_running(rank); }, "the end of a rank");
  return function(process, signal);
}

}  // extern "C"

namespace penstock::distributed {

// Called with the object first and where the result goes before that, as any function that returns such an object.
Watch::Doing Watch::begin(Activity activity, std::string what) {
  static auto* const function = real<Doing(Watch*, Activity, std::string)>(
      "_ZN8penstock11distributed5Watch5beginENS0_8ActivityENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE");
  const bool gate = activity == Activity::stepping && own_rank() >= 0 && is_gate(what);
  if (activity == Activity::stepping) ++steps_begun;
  Doing doing = function(this, activity, std::move(what));
  if (gate) stand_at_gate();
  return doing;
}

Watch::Standing Watch::standing() const {
  static auto* const function = real<Standing(const Watch*)>("_ZNK8penstock11distributed5Watch8standingEv");
  ++beats;
  return function(this);
}

double Watch::seconds_left() const {
  static auto* const function = real<double(const Watch*)>("_ZNK8penstock11distributed5Watch12seconds_leftEv");
  static const int steps = number_in("TIME_ENDS_AFTER_STEPS");
  return steps >= 0 && steps_begun.load() >= steps ? 0 : function(this);
}

}  // namespace penstock::distributed
