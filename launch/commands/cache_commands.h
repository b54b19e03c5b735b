// `penstock cache ...`: one function per command. Each returns the exit code and throws Error for what a user should
// read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/job/options.h"
#include "pipeline/stage.h"

namespace penstock::launch {

// The flags of all of them. The store is config.store where that is given, else that of config.file, else .penstock.
struct CacheOptions {
  ConfigOptions config;                     // `file` may be empty
  std::string sort;                         // ls: "size", "used" or nothing
  bool repair = false;                      // verify
  bool yes = false;                         // gc
  std::optional<double> older_than;         // gc, days
  std::optional<uint64_t> max_bytes;        // gc
  double grace = 24;                        // gc, hours
  std::vector<std::filesystem::path> keep;  // gc: configurations
  std::string what, stage;       // pin, unpin: CONFIG and STAGE[@RUN], or the beginning of an action key and nothing
  std::filesystem::path folder;  // export: where to; import: where from
};

int cache_ls_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds);
int cache_verify_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds);
int cache_gc_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds);
int cache_pin_command(const CacheOptions& options, bool pinned, const OutputFlags& output,
                      const pipeline::StageTable& kinds);
int cache_export_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds);
int cache_import_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds);

}  // namespace penstock::launch
