// The commands that run work on ranks: run and predict.
#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>

#include "distributed/collectives.h"
#include "launch/commands.h"
#include "launch/logging.h"
#include "launch/progress.h"
#include "launch/run_folder.h"
#include "launch/signals.h"
#include "stages/compute_library.h"

namespace penstock::launch {
namespace {

using distributed::Communicator;
using pipeline::Ended;
using pipeline::NodeResult;
using pipeline::Value;

int allowed_cores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

// This process among its peers.
struct Job {
  distributed::World world;
  std::unique_ptr<Communicator> ranks;
  int threads = 1;
};

Job join(const Voice& voice) {
  const auto environment = distributed::process_environment();
  Job job;
  job.world = distributed::world_of(environment);
  job.threads = distributed::threads_of(job.world, environment, allowed_cores());
  start_logging(job.world.rank, voice);
  job.ranks = distributed::open_communicator(job.world);
  return job;
}

// Runs `first` on rank 0 alone. What it throws is thrown on every rank, so that all end with the same code.
void on_rank0(Communicator& ranks, const std::function<void()>& first, std::string_view what) {
  distributed::Outcome mine;
  if (ranks.rank() == 0) {
    try {
      first();
    } catch (const Error& error) {
      mine = {error.code(), error.what()};
    }
  }
  const distributed::Agreed agreed = distributed::agree(ranks, mine, what);
  if (agreed.rank >= 0) throw Error(agreed.outcome.code, agreed.outcome.message);
}

// Only rank 0 speaks: on the others an error that all ranks share is just the exit code.
int speaking_on_rank0(int rank, const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (rank == 0) throw;
    spdlog::error("{}", error.what());
    return static_cast<int>(error.code());
  }
}

// What rank 0 tells at the end of a run, gathered as the runs of a matrix end.
struct Summary {
  size_t ran = 0;
  size_t cached = 0;
  size_t failed = 0;
  std::filesystem::path last_report;
  Value runs = Value::array();

  void add(const pipeline::Graph& graph, const pipeline::Run& run, const std::vector<NodeResult>& results) {
    Value stages = Value::array();
    for (const NodeResult& result : results) {
      ran += result.ended == Ended::ran;
      cached += result.ended == Ended::hit;
      failed += result.ended == Ended::failed;
      stages.push_back({{"stage", graph.nodes[result.node].stage},
                        {"state", name_of(result.ended)},
                        {"reason", result.reason},
                        {"seconds", result.seconds}});
    }
    const auto folder = run_folder(graph, run);
    if (std::filesystem::exists(folder / "report.html")) last_report = folder / "report.html";
    runs.push_back({{"run", graph.has_matrix ? Value(run.id) : Value(nullptr)},
                    {"label", run.label},
                    {"folder", folder.string()},
                    {"stages", std::move(stages)}});
  }
};

}  // namespace

int run_command(const ConfigOptions& options, const Voice& voice, const pipeline::StageTable& kinds) {
  const std::atomic<bool>& interrupted = watch_signals();
  const auto start = std::chrono::steady_clock::now();
  Job job = join(voice);
  Communicator& ranks = *job.ranks;
  const bool first = ranks.rank() == 0;

  return speaking_on_rank0(ranks.rank(), [&] {
    std::optional<pipeline::LoadedConfig> loaded;
    on_rank0(ranks, [&] { loaded = pipeline::load_config(request_of(options), kinds); }, "the configuration");
    const std::string name = distributed::broadcast_text(ranks, first ? loaded->graph.pipeline : "", 0, "the pipeline's name");
    const std::filesystem::path folder = std::filesystem::path("runs") / name;
    log_to(folder / "log", ranks.rank());

    pipeline::Events events = first ? pipeline::Events(folder / "events.jsonl") : pipeline::Events();
    if (first && shows_bar(voice)) events.listen(progress_bar());
    Summary summary;
    pipeline::RunOptions run;
    run.selection = selection_of(options);
    run.threads = job.threads;
    run.verify_inputs = options.verify_inputs;
    run.no_commands = options.no_commands;
    run.cache = pipeline::user_cache_folder();
    run.log_tail = end_of_log;
    run.publish = [&](const pipeline::Graph& graph, const pipeline::Run& one, const std::vector<NodeResult>& results,
                      const pipeline::Store& store, const std::string& lineage) {
      write_run_folder(graph, one, results, store, lineage);
      summary.add(graph, one, results);
    };
    const ExitCode code =
        pipeline::run_graph(first ? &loaded->graph : nullptr, kinds, run, ranks, events, interrupted);

    if (first) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      spdlog::info("{}: {} stages ran, {} cached{} in {:.1f} s on {} rank{}", name, summary.ran, summary.cached,
                   summary.failed ? fmt::format(", {} failed", summary.failed) : "", seconds, ranks.size(),
                   ranks.size() == 1 ? "" : "s");
      if (!summary.last_report.empty()) spdlog::info("report: {}", summary.last_report.string());
      if (code == ExitCode::interrupted) spdlog::warn("interrupted with its state saved; the same command resumes");
      if (voice.json) std::cout << Value{{"exit", static_cast<int>(code)}, {"runs", summary.runs}}.dump() << '\n';
    }
    return static_cast<int>(code);
  });
}

int predict_command(const stages::PredictRequest& request, const Voice& voice) {
  const Job job = join(voice);
  return speaking_on_rank0(job.world.rank, [&] {
    stages::compute_library().predict(request, *job.ranks, job.threads);
    return 0;
  });
}

}  // namespace penstock::launch
