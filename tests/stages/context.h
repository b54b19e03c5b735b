// Runs one stage's body alone, as the engine would: light kinds by name, folders as inputs.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "distributed/local_communicator.h"
#include "pipeline/events.h"
#include "pipeline/run/shared_pass.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::stages {

// The output folders of a finished stage, by port.
using Outputs = std::map<std::string, std::filesystem::path>;

class Bench {
 public:
  // Throws what the body throws. `values` override the kind's defaults.
  Outputs run(const std::string& name, const std::map<std::string, std::vector<std::filesystem::path>>& inputs,
              const pipeline::Values& values = {}) {
    const pipeline::StageKind& kind = *pipeline::find_kind(stage_table(), name);
    pipeline::Values all;
    for (const auto& parameter : kind.parameters) all[parameter.name] = parameter.fallback;
    for (const auto& [key, value] : values) all[key] = value;
    std::vector<std::string> names;
    std::map<std::string, std::vector<pipeline::InputSource>> sources;
    for (const auto& [port, paths] : inputs) {
      names.push_back(port);
      for (const auto& path : paths) sources[port].push_back({path, ""});
    }
    const auto ports = kind.ports ? kind.ports(all, names).second : kind.outputs;
    const auto place = folder_.path() / std::to_string(++count_);
    Outputs outputs;
    for (const pipeline::Port& port : ports) {
      outputs[port.name] = place / port.name;
      std::filesystem::create_directories(outputs[port.name]);
    }
    std::filesystem::create_directories(place / "progress");
    const auto ranks = distributed::local_world(1);
    pipeline::Events events;
    pipeline::StageContext context{.values = all,
                                   .ranks = *ranks[0],
                                   .threads = 2,
                                   .inputs = sources,
                                   .outputs = outputs,
                                   .progress = place / "progress",
                                   .relatives = {},
                                   .events = events,
                                   .interrupted = interrupted_,
                                   .lineage = "",
                                   .stage = name};
    if (kind.scope == pipeline::Scope::shared) {
      const pipeline::ChunkKeys keys{all, {}, {{"inputs", pipeline::digest_of(std::to_string(count_))}}};
      const auto outcome = pipeline::run_shared(kind, context, store_, &keys);
      if (outcome.code != ExitCode::done) throw Error(outcome.code, outcome.message);
    } else {
      kind.body()->run(context);
    }
    return outputs;
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  void interrupt() { interrupted_.store(true); }

 private:
  TemporaryFolder folder_;
  pipeline::Store store_{folder_.path() / "store", pipeline::Store::Mode::read_write};
  std::atomic<bool> interrupted_{false};
  int count_ = 0;
};

}  // namespace penstock::stages
