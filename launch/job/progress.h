// The progress line that the run command redraws on a terminal while stages run; a log file gets none.
#pragma once

#include <functional>

#include "launch/job/options.h"
#include "pipeline/value.h"

namespace penstock::launch {

// True when the line is to be shown: requested, or "auto" with a terminal on stderr.
bool shows_bar(const OutputFlags& output);

// A listener for pipeline::Events that draws the bar; call on rank 0 only, when shows_bar.
std::function<void(const pipeline::Value&)> progress_bar();

// Put before each console line, so that a log line replaces the bar instead of following it.
inline constexpr const char* clear_line = "\r\x1b[K";

}  // namespace penstock::launch
