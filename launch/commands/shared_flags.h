// Flags that several commands take, each group with its help in one place. Called while commands are registered.
#pragma once

#include "launch/job/options.h"

namespace CLI {
class App;
}

namespace penstock::launch {

// --json, -v, -q, --progress, --color: of every command.
void add_output_flags(CLI::App& command, OutputFlags& output);

// CONFIG, --set, --input, --store.
void add_config_flags(CLI::App& command, ConfigOptions& config);
// --set and --input alone.
void add_overrides(CLI::App& command, ConfigOptions& config);

// --select and --part: some of a matrix's runs.
void add_run_filter(CLI::App& command, ConfigOptions& config);

// TARGET, --until, --from, --only, --force, --verify-inputs, and the run filter: what is to be built.
void add_selection(CLI::App& command, ConfigOptions& config);

}  // namespace penstock::launch
