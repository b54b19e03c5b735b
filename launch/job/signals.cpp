#include "launch/job/signals.h"

#include <unistd.h>
#include <csignal>

namespace penstock::launch {
namespace {

std::atomic<bool> requested{false};
std::atomic<bool> pressed{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free state");

void handle(int signal) {
  if (signal == SIGINT && pressed.exchange(true)) _exit(130);
  requested.store(true);
}

}  // namespace

std::atomic<bool>& watch_signals() {
  struct sigaction action = {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
  return requested;
}

}  // namespace penstock::launch
