// run: builds the targets on the ranks of this job.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "distributed/collectives.h"
#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/commands/sweep_view.h"
#include "launch/job/folder_owner.h"
#include "launch/job/job.h"
#include "launch/job/logging.h"
#include "launch/job/planned_config.h"
#include "launch/job/progress.h"
#include "launch/job/run_folder.h"
#include "launch/job/signals.h"
#include "launch/job/time_budget.h"
#include "pipeline/counted.h"
#include "pipeline/run/runner.h"

namespace penstock::launch {
namespace {

struct RunFlags {
  ConfigOptions config;
  int jobs = 1;
  bool keep_going = false;
  bool fail_fast = false;
  bool no_commands = false;
  bool no_lease = false;
  bool no_wait = false;
  std::string time_budget;  // "3h50m"; empty: until Slurm ends the job, where it says when
};

using distributed::Communicator;
using pipeline::Ending;
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

// What rank 0 logs at the end, collected as the runs of a matrix end.
class Summary {
 public:
  void add(const pipeline::Graph& graph, const pipeline::Run& run, const std::vector<NodeResult>& results) {
    Value stages = Value::array();
    for (const NodeResult& result : results) {
      ended_[result.node] = result.ending;
      stages.push_back({{"stage", graph.nodes[result.node].stage()},
                        {"state", name_of(result.ending)},
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

  void log(const std::string& name, const std::string& part, double seconds, int ranks) const {
    if (!part.empty() && runs_.empty()) spdlog::warn("--part {}: this part holds no run of the matrix", part);
    const auto count = [this](Ending how) {
      return std::count_if(ended_.begin(), ended_.end(), [how](const auto& one) { return one.second == how; });
    };
    std::string rest;
    for (const auto& [how, word] : {std::pair(Ending::failed, "failed"), std::pair(Ending::pruned, "given up")}) {
      if (count(how) > 0) rest += fmt::format(", {} {}", count(how), word);
    }
    spdlog::info("{}: {} stages ran, {} cached{} in {:.1f} s on {}", name, count(Ending::ran), count(Ending::hit), rest,
                 seconds, pipeline::counted(ranks, "rank"));
    if (std::filesystem::exists(report_)) spdlog::info("report: {}", report_.string());
  }

  Value json(ExitCode code) const { return {{"exit", static_cast<int>(code)}, {"runs", runs_}}; }

 private:
  std::map<int, Ending> ended_;  // by node: runs may share one
  std::filesystem::path report_;
  Value runs_ = Value::array();
};

// Removes the store of a rehearsal, before and after.
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

int run_command(const RunFlags& flags, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const ConfigOptions& options = flags.config;
  std::atomic<bool>& interrupted = watch_signals();
  const auto start = std::chrono::steady_clock::now();
  Job job = join(output, &interrupted);
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
    if (first && shows_bar(output)) run.listener = progress_bar();
    run.tell_failure = failures_with(folder / "log" / (ranks.size() == 1 ? "rank-0.log" : "rank-*.log"));
    run.begin_log = begin_log;
    run.end_of_log = end_of_log;
    run.publish = [&](const pipeline::Graph& graph, const pipeline::Run& one, const std::vector<NodeResult>& results,
                      const pipeline::Publications& published, const pipeline::Store& store) {
      write_run_folder(graph, one, results, published, store);
      summary.add(graph, one, results);
    };
    if (first && flags.jobs > ranks.size()) {
      spdlog::warn("-j {}: this job has {}, and each stage needs one at least; start it with mpirun -np {}", flags.jobs,
                   pipeline::counted(ranks.size(), "rank"), flags.jobs);
    }
    const TimeKeeper keeper(keep_time(ranks, flags.time_budget), *job.watch, interrupted);
    const Rehearsal rehearsal(first && options.rehearse ? loaded->graph.store : std::filesystem::path());
    const ExitCode code = pipeline::run_graph(first ? &loaded->graph : nullptr, kinds, run, ranks, interrupted);

    if (first) {
      if (loaded->graph.has_matrix && !options.rehearse) write_sweep_page(view_sweep(options, kinds));
      summary.log(name, options.part, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                  ranks.size());
      if (code == ExitCode::interrupted)
        spdlog::warn("{}interrupted with its state saved; the same command resumes",
                     keeper.is_over() ? "the time is over: " : "");
      if (output.json) std::cout << summary.json(code).dump() << '\n';
    }
    return static_cast<int>(code);
  });
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("run", "build the targets; resuming is the default, there is no flag for it");
  const auto flags = std::make_shared<RunFlags>();
  add_config_flags(*command, flags->config);
  add_selection(*command, flags->config);
  command->add_option("-j,--jobs", flags->jobs, "stages or runs side by side, each on its share of the ranks")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20).description(""));
  CLI::Option* keep = command->add_flag("-k,--keep-going", flags->keep_going,
                                        "after a failure continue with everything that does not depend on it");
  command->add_flag("--fail-fast", flags->fail_fast, "a failure interrupts what runs beside it")->excludes(keep);
  command
      ->add_option(
          "--time-budget", flags->time_budget,
          "save in time and end with 75 before this long has passed: 3h50m (default: until Slurm ends the job)")
      ->type_name("TIME");
  command->add_flag("--no-commands", flags->no_commands, "refuse stages that start other programs");
  command->add_flag("--no-lease", flags->no_lease, "do not check whether another run is building the same");
  command->add_flag("--no-wait", flags->no_wait,
                    "fail (73) instead of waiting for another run that is building the same");
  command->add_flag(
      "--rehearse", flags->config.rehearse,
      "every stage with 8 images and 2 steps, in a temporary store that is removed: does it work at all?");
  command->callback([flags, &context] { context.code = run_command(*flags, context.output, context.kinds); });
}

}  // namespace penstock::launch
