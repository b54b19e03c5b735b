// Requests to stop: after SIGUSR1, SIGTERM or the first Ctrl-C the work saves its state and ends with exit code 75; a
// second Ctrl-C ends the process at once with 130.
#pragma once

#include <atomic>

namespace penstock::launch {

// Installs the handlers for this process; call once, before threads start. True after a request.
std::atomic<bool>& watch_signals();

}  // namespace penstock::launch
