// The commands that run work on ranks: run and predict.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "distributed/collectives.h"
#include "launch/commands/commands.h"
#include "launch/commands/folder_owner.h"
#include "launch/commands/run_folder.h"
#include "launch/commands/sweep_view.h"
#include "launch/job/job.h"
#include "launch/job/logging.h"
#include "launch/job/looked.h"
#include "launch/job/progress.h"
#include "launch/job/signals.h"
#include "launch/job/time_budget.h"
#include "launch/world/measurements.h"
#include "stages/compute_library.h"

namespace penstock::launch {
namespace {

using distributed::Communicator;
using pipeline::Ended;
using pipeline::NodeResult;
using pipeline::Value;

// Loaded, and runs/<pipeline>/ is its own. A rehearsal leaves no results there.
pipeline::LoadedConfig claimed_config(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  auto loaded = pipeline::load_config(request_of(options), kinds);
  if (!options.rehearse) claim_folder(std::filesystem::path("runs") / loaded.graph.pipeline, options.file);
  return loaded;
}

// Said once, when it happens: what failed and why, where its log is, and what to do.
std::function<void(const pipeline::Graph&, const NodeResult&)> failures_with(const std::filesystem::path& log) {
  return [log](const pipeline::Graph& graph, const NodeResult& result) {
    const char* end = result.message.find('\n') == std::string::npos ? " " : "\n";
    spdlog::error("stage '{}' failed: {}{}(log: {}; once this is mended, the same command resumes)",
                  label_of(graph, result.node), result.message, end, log.string());
  };
}

std::string milliseconds(const Value& median) {
  return fmt::format("{:.1f} ms ({:.1f} to {:.1f}, n = {})", 1e3 * median.at("median").get<double>(),
                     1e3 * median.at("low").get<double>(), 1e3 * median.at("high").get<double>(),
                     median.at("n").get<int>());
}

std::string bench_text(const Value& result) {
  std::string text =
      fmt::format("{} rank{} x {} thread{}", result.at("ranks").get<int>(), result.at("ranks") == 1 ? "" : "s",
                  result.at("threads").get<int>(), result.at("threads") == 1 ? "" : "s");
  const auto steps = [](const Value& one) {
    return fmt::format("{:.2f} images/s, a step {}", one.at("images_per_second").get<double>(),
                       milliseconds(one.at("step_seconds")));
  };
  if (result.contains("ratio")) {
    const std::string a = result.at("a"), b = result.at("b");
    const Value& ratio = result.at("ratio");
    text += fmt::format("\n{}: {}\n{}: {}\ntime of {} over {}: {:.4f} ({:.4f} to {:.4f})", a, steps(result.at(a)), b,
                        steps(result.at(b)), a, b, ratio.at("median").get<double>(), ratio.at("low").get<double>(),
                        ratio.at("high").get<double>());
  } else if (result.contains("rows")) {
    text += fmt::format("\n{:>12} {:>12} {:>12} {:>12} {:>12}  (ms)", "bytes", "all-reduce", "run", "world", "model");
    for (const Value& row : result.at("rows")) {
      text += fmt::format("\n{:12} {:12.3f} {:12.3f} {:12.3f} {:12.3f}", row.at("bytes").get<int64_t>(),
                          1e3 * row.at("all_reduce_seconds").get<double>(), 1e3 * row.at("run_seconds").get<double>(),
                          1e3 * row.at("world_seconds").get<double>(), 1e3 * row.value("model_seconds", 0.0));
    }
  } else {
    text += "\n" + steps(result);
  }
  return text;
}

// What rank 0 tells at the end of a run, gathered as the runs of a matrix end.
class Summary {
 public:
  void add(const pipeline::Graph& graph, const pipeline::Run& run, const std::vector<NodeResult>& results) {
    Value stages = Value::array();
    for (const NodeResult& result : results) {
      ended_[result.node] = result.ended;
      stages.push_back({{"stage", graph.nodes[result.node].stage()},
                        {"state", name_of(result.ended)},
                        {"reason", result.reason},
                        {"seconds", result.seconds}});
    }
    const auto folder = run_folder(graph, run);
    report_ = graph.has_matrix ? folder.parent_path() / "sweep.html" : folder / "report.html";
    runs_.push_back({{"run", graph.has_matrix ? Value(run.id) : Value(nullptr)},
                     {"label", run.label()},
                     {"folder", folder.string()},
                     {"stages", std::move(stages)}});
  }

  void tell(const std::string& name, const std::string& part, double seconds, int ranks) const {
    if (!part.empty() && runs_.empty()) spdlog::warn("--part {}: this part holds no run of the matrix", part);
    const auto count = [this](Ended how) {
      return std::count_if(ended_.begin(), ended_.end(), [how](const auto& one) { return one.second == how; });
    };
    std::string rest;
    for (const auto& [how, word] : {std::pair(Ended::failed, "failed"), std::pair(Ended::pruned, "given up")}) {
      if (count(how) > 0) rest += fmt::format(", {} {}", count(how), word);
    }
    spdlog::info("{}: {} stages ran, {} cached{} in {:.1f} s on {} rank{}", name, count(Ended::ran), count(Ended::hit),
                 rest, seconds, ranks, ranks == 1 ? "" : "s");
    if (std::filesystem::exists(report_)) spdlog::info("report: {}", report_.string());
  }

  Value json(ExitCode code) const { return {{"exit", static_cast<int>(code)}, {"runs", runs_}}; }

 private:
  std::map<int, Ended> ended_;  // by node: runs may share one
  std::filesystem::path report_;
  Value runs_ = Value::array();
};

// The store of a rehearsal is thrown away, before and after.
class Rehearsal {
 public:
  explicit Rehearsal(std::filesystem::path store) : store_(std::move(store)) { clear(); }
  ~Rehearsal() { clear(); }
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

 private:
  void clear() const {
    std::error_code ignored;
    if (!store_.empty()) std::filesystem::remove_all(store_, ignored);
  }
  std::filesystem::path store_;  // empty: none
};

}  // namespace

int run_command(const ConfigOptions& options, const RunFlags& flags, const Voice& voice,
                const pipeline::StageTable& kinds) {
  std::atomic<bool>& interrupted = watch_signals();
  const auto start = std::chrono::steady_clock::now();
  Job job = join(voice, &interrupted);
  Communicator& ranks = *job.ranks;
  const bool first = ranks.rank() == 0;

  return speaking_on_rank0(job, [&] {
    std::optional<pipeline::LoadedConfig> loaded;
    on_rank0(
        ranks, [&] { loaded = claimed_config(options, kinds); }, "the configuration");
    const std::string name =
        distributed::broadcast_text(ranks, first ? loaded->graph.pipeline : "", 0, "the pipeline's name");
    const std::filesystem::path folder = std::filesystem::path("runs") / name;
    log_to(folder / "log", ranks.rank());

    Summary summary;
    pipeline::RunOptions run;
    run.selection = selection_of(options);
    run.threads = job.threads;
    run.watch = job.watch.get();
    run.jobs = flags.jobs;
    run.keep_going = flags.keep_going;
    run.fail_fast = flags.fail_fast;
    run.verify_inputs = options.verify_inputs;
    run.no_commands = flags.no_commands;
    run.use_leases = !flags.no_lease;
    run.wait_for_leases = !flags.no_wait;
    run.cache = pipeline::user_cache_folder();
    run.events_file = [&folder](const std::string& id) { return folder / id / "events.jsonl"; };
    if (first && shows_bar(voice)) run.listener = progress_bar();
    run.tell_failure = failures_with(folder / "log" / (ranks.size() == 1 ? "rank-0.log" : "rank-*.log"));
    run.begin_log = begin_log;
    run.end_of_log = end_of_log;
    run.publish = [&](const pipeline::Graph& graph, const pipeline::Run& one, const std::vector<NodeResult>& results,
                      const pipeline::Store& store) {
      write_run_folder(graph, one, results, store);
      summary.add(graph, one, results);
    };
    if (first && flags.jobs > ranks.size()) {
      spdlog::warn("-j {}: this job has {} rank{}, and each stage needs one at least; start it with mpirun -np {}",
                   flags.jobs, ranks.size(), ranks.size() == 1 ? "" : "s", flags.jobs);
    }
    const TimeKeeper keeper(keep_time(ranks, flags.time_budget), *job.watch, interrupted);
    const Rehearsal rehearsal(first && options.rehearse ? loaded->graph.store : std::filesystem::path());
    const ExitCode code = pipeline::run_graph(first ? &loaded->graph : nullptr, kinds, run, ranks, interrupted);

    if (first) {
      if (loaded->graph.has_matrix && !options.rehearse) write_sweep_page(look_at_sweep(options, kinds));
      summary.tell(name, options.part, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                   ranks.size());
      if (code == ExitCode::interrupted)
        spdlog::warn("{}interrupted with its state saved; the same command resumes",
                     keeper.is_over() ? "the time is over: " : "");
      if (voice.json) std::cout << summary.json(code).dump() << '\n';
    }
    return static_cast<int>(code);
  });
}

int bench_command(const stages::BenchRequest& request, const Voice& voice) {
  Job job = join(voice, nullptr);
  return speaking_on_rank0(job, [&] {
    const auto doing = job.watch->stage("bench " + request.what);
    const Value result = stages::compute_library().bench(request, *job.ranks, job.threads);
    if (job.world.rank == 0) {
      keep_measurement(request, result);
      std::cout << (voice.json ? result.dump() : bench_text(result)) << '\n';
    }
    return 0;
  });
}

int predict_command(const stages::PredictRequest& request, const Voice& voice) {
  Job job = join(voice, nullptr);
  return speaking_on_rank0(job, [&] {
    const auto doing = job.watch->stage("predict");
    stages::compute_library().predict(request, *job.ranks, job.threads);
    return 0;
  });
}

}  // namespace penstock::launch
