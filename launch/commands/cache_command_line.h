// The words and flags of `penstock cache ...`.
#pragma once

#include <CLI/CLI.hpp>

#include "launch/commands/cache_commands.h"

namespace penstock::launch {

// Adds the command with its own commands. Their callbacks read `options` and `voice` and set `code`; all must outlive
// parsing.
void add_cache_commands(CLI::App& app, CacheOptions& options, const Voice& voice, const pipeline::StageTable& kinds,
                        int& code);

}  // namespace penstock::launch
