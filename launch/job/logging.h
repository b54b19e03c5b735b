// Where messages go: rank 0's console (stderr), and every rank's log/rank-<n>.log. Flushed at each line, so that
// nothing is lost in an abort. Used by join() and the run command.
#pragma once

#include <filesystem>
#include <string>

#include "launch/job/options.h"

namespace penstock::launch {

// Sets spdlog's default logger. Only rank 0 has a console.
void start_logging(int rank, const OutputFlags& output);

// From here on, messages also go to `folder`/rank-<rank>.log. The folder is made.
void log_to(const std::filesystem::path& folder, int rank);

// The last lines that this process logged since begin_log(), oldest first, each with its newline.
void begin_log();
std::string end_of_log();

}  // namespace penstock::launch
