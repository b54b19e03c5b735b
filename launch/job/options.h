// The flags that commands share, as parsed; and what the engine is asked to do, made from them. For every command.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/config/config.h"
#include "pipeline/plan/plan.h"

namespace penstock::launch {

enum class Progress { automatic, bar, plain, none };
enum class Color { automatic, always, never };

// Flags of every command.
struct OutputFlags {
  bool json = false;
  bool verbose = false;
  bool quiet = false;
  Progress progress = Progress::automatic;
  Color color = Color::automatic;
};

// Flags of every command that reads a configuration.
struct ConfigOptions {
  std::filesystem::path file;
  std::vector<std::string> sets;    // stage.param=VALUE
  std::vector<std::string> inputs;  // stage.port=PATH
  std::filesystem::path store;      // empty: the configuration's
  std::vector<std::string> targets;
  std::string until, from, only;  // a stage, or empty
  std::string force;              // "" no, "true" everything, else stage names with commas
  std::string select, part;       // some of a matrix's runs
  bool verify_inputs = false;
  bool rehearse = false;
};

pipeline::ConfigRequest request_of(const ConfigOptions& options);
pipeline::Selection selection_of(const ConfigOptions& options);

}  // namespace penstock::launch
