// From a TOML file to a graph: strict, with every error at once. Called by the commands of launch/, on rank 0; one
// thread.
#pragma once

#include <string>
#include <vector>

#include "pipeline/config/config_request.h"
#include "pipeline/graph.h"

namespace penstock::pipeline {

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
