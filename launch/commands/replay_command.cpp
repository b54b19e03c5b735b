// replay: repeats training steps from one checkpoint to the next and compares the weights.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include "distributed/collectives.h"
#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/job/job.h"
#include "launch/job/planned_config.h"
#include "launch/job/signals.h"
#include "pipeline/counted.h"
#include "pipeline/events.h"
#include "pipeline/files.h"
#include "pipeline/packed_value.h"
#include "pipeline/plan/status.h"
#include "pipeline/store/sealed_folder.h"
#include "stages/compute_library.h"
#include "stages/training/checkpoint_manifest.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;
using stages::CheckpointManifest;

// What is replayed: rank 0 reads it from the store and broadcasts it.
struct Replay {
  std::string stage;
  pipeline::Values values;
  std::map<std::string, std::vector<pipeline::InputSource>> inputs;
  fs::path progress;  // a folder with the one checkpoint to begin with
  int64_t from = 0, until = 0;
  std::string expected;  // digest of the weights there; empty: none was recorded
};

std::string to_text(const Replay& replay) {
  Value inputs = Value::object();
  for (const auto& [port, sources] : replay.inputs) {
    for (const auto& source : sources) inputs[port].push_back(source.path.string());
  }
  return pipeline::packed({{"stage", replay.stage},
                           {"values", replay.values},
                           {"inputs", inputs},
                           {"progress", replay.progress.string()},
                           {"from", replay.from},
                           {"until", replay.until},
                           {"expected", replay.expected}});
}

Replay replay_from(const std::string& text) {
  const Value json = pipeline::unpacked(text);
  Replay replay{json.at("stage"),
                json.at("values").get<pipeline::Values>(),
                {},
                json.at("progress").get<std::string>(),
                json.at("from"),
                json.at("until"),
                json.at("expected")};
  for (const auto& [port, sources] : json.at("inputs").items()) {
    for (const Value& source : sources) replay.inputs[port].push_back({source.get<std::string>(), ""});
  }
  return replay;
}

// The instance that was named, or the only one of a kind that keeps checkpoints.
int node_to_replay(const pipeline::Graph& graph, const std::string& stage) {
  if (!stage.empty()) return find_node(graph, stage);
  for (const auto& declaration : graph.stages) {
    if (declaration->kind->ends) return find_node(graph, declaration->stage);
  }
  throw Error(ExitCode::usage, "replay: no stage of this configuration keeps checkpoints");
}

Replay plan_replay(const ConfigOptions& options, const std::string& stage, int64_t steps,
                   const pipeline::StageTable& kinds) {
  const PlannedConfig planned = plan_config(options, kinds);
  const int index = node_to_replay(planned.graph, stage);
  const pipeline::Node& node = planned.graph.nodes[index];
  const auto published = pipeline::published_in(planned.plan);
  const auto action = pipeline::action_of(planned.graph, index, planned.plan, published);
  const auto manifests = action ? stages::read_manifests(planned.store.root() / "progress" / action->hex())
                                : std::vector<CheckpointManifest>();
  if (manifests.empty() || (manifests.size() < 2 && steps == 0)) {
    throw Error(ExitCode::data,
                fmt::format("replay: {} has {} in the store; it takes two to compare (or one, and --steps)",
                            label_of(planned.graph, index),
                            pipeline::counted(static_cast<int64_t>(manifests.size()), "checkpoint")));
  }
  const CheckpointManifest& newest = manifests.front();
  const CheckpointManifest& from = manifests.size() > 1 ? manifests[1] : newest;
  Replay replay;
  replay.stage = label_of(planned.graph, index);
  replay.values = node.values();
  replay.from = from.step;
  replay.until = steps == 0 ? newest.step : from.step + steps;
  if (replay.until == newest.step) replay.expected = newest.weights.hex();
  for (const pipeline::Input& input : node.inputs) {
    for (const pipeline::Source& source : input.sources) {
      if (source.node >= 0)
        replay.inputs[input.port()].push_back(
            {planned.store.object_files(published[source.node]->port(source.port())->digest), ""});
      else
        replay.inputs[input.port()].push_back({fs::absolute(source.declared->external), ""});
    }
  }
  const fs::path kept = planned.store.root() / "progress" / action->hex();
  replay.progress = planned.store.root() / "staging" / ("replay." + pipeline::unique_suffix());
  pipeline::make_folder(replay.progress);
  for (const auto& file : {stages::checkpoint_file(kept, from), stages::manifest_file(kept, from.step)}) {
    pipeline::link_or_copy(file, replay.progress / file.filename());
  }
  return replay;
}

std::string run(const Replay& replay, distributed::Communicator& ranks, distributed::Watch& watch, int threads,
                const std::atomic<bool>& interrupted) {
  pipeline::Events silent;
  pipeline::StageContext context{.values = replay.values,
                                 .ranks = ranks,
                                 .threads = threads,
                                 .inputs = replay.inputs,
                                 .outputs = {},
                                 .progress = replay.progress,
                                 .relatives = {},
                                 .events = silent,
                                 .interrupted = interrupted,
                                 .scores = nullptr,
                                 .lineage = "",
                                 .watch = watch,
                                 .stage = replay.stage};
  const auto doing = watch.stage("replay of " + replay.stage);
  return stages::compute_library().replay(context, replay.until);
}

int replay_command(const ConfigOptions& options, const std::string& stage, int64_t steps, const OutputFlags& output,
                   const pipeline::StageTable& kinds) {
  std::atomic<bool>& interrupted = watch_signals();
  Job job = join(output, &interrupted);
  distributed::Communicator& ranks = *job.ranks;
  const bool first = ranks.rank() == 0;
  return speaking_on_rank0(job, [&] {
    Replay replay;
    on_rank0(
        ranks, [&] { replay = plan_replay(options, stage, steps, kinds); }, "what to replay");
    replay = replay_from(distributed::broadcast_text(ranks, first ? to_text(replay) : "", 0, "what to replay"));
    const std::string digest = run(replay, ranks, *job.watch, job.threads, interrupted);
    // Without a record to compare with, the replay is compared with itself.
    const std::string expected =
        replay.expected.empty() ? run(replay, ranks, *job.watch, job.threads, interrupted) : replay.expected;
    if (first) fs::remove_all(replay.progress);
    const bool same = digest == expected;
    if (first) {
      if (output.json) {
        std::cout << Value{{"stage", replay.stage}, {"from", replay.from},  {"until", replay.until},
                           {"digest", digest},      {"expected", expected}, {"same", same}}
                         .dump()
                  << '\n';
      } else {
        std::cout << fmt::format("{}: steps {} to {} again: {} ({}{})\n", replay.stage, replay.from + 1, replay.until,
                                 same ? "the same weights" : "OTHER WEIGHTS", digest.substr(0, 16),
                                 same ? "" : ", expected " + expected.substr(0, 16));
      }
    }
    return same ? 0 : static_cast<int>(ExitCode::ranks);
  });
}

struct ReplayFlags {
  ConfigOptions config;
  std::string stage;
  int64_t steps = 0;  // 0: to the newest checkpoint
};

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("replay", "repeat training steps from one checkpoint to the next: are the weights the same?");
  const auto flags = std::make_shared<ReplayFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("STAGE", flags->stage,
                      "a stage, or STAGE@RUN with a matrix (default: the one that keeps checkpoints)");
  command
      ->add_option("--steps", flags->steps,
                   "this many steps; where no checkpoint records their result, they are repeated and compared")
      ->type_name("K")
      ->check(CLI::Range(1, 1 << 30));
  command->callback([flags, &context] {
    context.code = replay_command(flags->config, flags->stage, flags->steps, context.output, context.kinds);
  });
}

}  // namespace penstock::launch
