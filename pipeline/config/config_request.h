// A configuration file and all that may override it. A value, filled from the command line; load_config (config.h)
// reads it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distributed/world.h"

namespace penstock::pipeline {

// Precedence: flag > PENSTOCK_SET_<stage>__<param> > file > default.
struct ConfigRequest {
  std::filesystem::path file;
  std::vector<std::string> sets;                            // --set stage.param=TOML value
  std::vector<std::pair<std::string, std::string>> inputs;  // --input stage.port=PATH, from the working directory
  std::optional<std::filesystem::path> store;               // --store
  bool rehearse = false;  // --rehearse: the first run alone, with each kind's short values
  distributed::Environment environment;
};

}  // namespace penstock::pipeline
