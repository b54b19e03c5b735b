// From a TOML file to a graph: strict, with every error at once.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distributed/world.h"
#include "pipeline/graph.h"

namespace penstock::pipeline {

// A configuration file and all that may override it. Precedence: flag > PENSTOCK_SET_<stage>__<param> > file > default.
struct ConfigRequest {
  std::filesystem::path file;                               // "builtin:quickstart" is not special here
  std::vector<std::string> sets;                            // --set stage.param=TOML value
  std::vector<std::pair<std::string, std::string>> inputs;  // --input stage.port=PATH, from the working directory
  std::optional<std::filesystem::path> store;               // --store
  bool rehearse = false;  // --rehearse: the first run alone, with each kind's short values
  distributed::Environment environment;
};

// One final value and where it came from, for `penstock config --origin`.
struct Setting {
  std::string key;  // "train.lr"
  Value value;
  std::string origin;  // "default", "configs/quickstart.toml:38:1", "--set", "PENSTOCK_SET_train__lr"
};

struct LoadedConfig {
  Graph graph;
  std::vector<Setting> settings;  // in the order of the file, then of the kinds' tables; without the matrix
};

// Parses, checks and expands. Reads only the configuration (and the one it extends), never data. Throws
// Error(ExitCode::config) whose message holds every problem found, in GCC's shape, each with source line, caret and the
// nearest valid name:
//   configs/dsb2018.toml:38:1: error[E203]: stage 'train' has no parameter 'base_chanels'; did you mean
//   'base_channels'?
//      38 | base_chanels = 16
//         | ^~~~~~~~~~~~
LoadedConfig load_config(const ConfigRequest& request, const StageTable& kinds);

}  // namespace penstock::pipeline
