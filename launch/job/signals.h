// Asked to stop: SIGUSR1, SIGTERM and the first Ctrl-C let the work save its state and end with exit code 75; a second
// Ctrl-C ends at once with 130.
#pragma once

#include <atomic>

namespace penstock::launch {

// Installs the handlers for this process; call once, before threads start. True after a request.
std::atomic<bool>& watch_signals();

}  // namespace penstock::launch
