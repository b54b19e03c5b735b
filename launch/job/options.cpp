#include "launch/job/options.h"

#include <spdlog/spdlog.h>

#include <sstream>

#include "distributed/world.h"

namespace penstock::launch {

pipeline::ConfigRequest request_of(const ConfigOptions& options) {
  pipeline::ConfigRequest request;
  request.file = options.file;
  request.sets = options.sets;
  for (const std::string& input : options.inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == input.size()) {
      throw Error(ExitCode::usage,
                  "--input " + input + ": expected stage.port=PATH, as in --input unzip.archive=a.zip");
    }
    request.inputs.emplace_back(input.substr(0, equals), input.substr(equals + 1));
  }
  if (!options.store.empty()) request.store = options.store;
  request.rehearse = options.rehearse;
  request.environment = distributed::process_environment();
  return request;
}

pipeline::Selection selection_of(const ConfigOptions& options) {
  pipeline::Selection selection;
  selection.targets = options.targets;
  if (!options.until.empty()) selection.until = options.until;
  if (!options.from.empty()) selection.from = options.from;
  if (!options.only.empty()) selection.only = options.only;
  selection.runs = pipeline::RunFilter::parse(options.select, options.part);
  if (options.force == "true") {
    selection.force_all = true;
    if (!options.targets.empty()) {  // "--force shard" reads as if it named a stage
      const std::string& first = options.targets.front();
      spdlog::info("--force: all that '{}' needs runs again; for that stage alone write --force={}", first, first);
    }
  } else {
    std::istringstream names(options.force);
    for (std::string name; std::getline(names, name, ',');) selection.forced.insert(name);
  }
  return selection;
}

}  // namespace penstock::launch
