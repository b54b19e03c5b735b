// status and logs: the state of each stage and the log of its last run, read from the store.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/job/planned_config.h"
#include "launch/job/run_folder.h"
#include "launch/job/signals.h"
#include "pipeline/counted.h"
#include "pipeline/plan/status.h"

namespace penstock::launch {
namespace {

using pipeline::NodeStatus;
using pipeline::Standing;
using pipeline::Value;

constexpr auto refresh_interval = std::chrono::seconds(2);
constexpr const char* clear_screen = "\x1b[H\x1b[2J";
constexpr size_t tail_bytes = 16 * 1024;

// The last event of a stage that reports progress.
std::string progress_of(const std::filesystem::path& events, const std::string& stage) {
  std::ifstream in(events, std::ios::binary | std::ios::ate);
  const auto size = static_cast<int64_t>(in.tellg());
  if (size <= 0) return "";
  in.seekg(std::max<int64_t>(0, size - static_cast<int64_t>(tail_bytes)));
  std::string said;
  for (std::string line; std::getline(in, line);) {
    const Value event = Value::parse(line, nullptr, false);
    if (event.is_discarded() || event.value("stage", "") != stage) continue;
    const std::string kind = event.value("event", "");
    if (kind == "step")
      said = fmt::format("epoch {}, step {}, {:.1f} images/s", event.value("epoch", 0), event.value("step", 0),
                         event.value("images_per_second", 0.0));
    if (kind == "bucket") said = fmt::format("{} of {} buckets", event.value("done", 0), event.value("of", 0));
  }
  return said;
}

struct Row {
  std::string label;
  NodeStatus status;
  std::string progress;
};

std::vector<Row> rows_of(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  const PlannedConfig planned = plan_config(options, kinds);
  pipeline::Explainer explainer(planned.graph, planned.plan, planned.store);
  const pipeline::Publications published = pipeline::published_in(planned.plan);
  std::vector<Row> rows;
  for (size_t node = 0; node < planned.graph.nodes.size(); ++node) {
    if (!planned.plan.nodes[node].needed) continue;
    const int index = static_cast<int>(node);
    Row row{label_of(planned.graph, index),
            status_of(planned.graph, index, planned.plan, published, planned.store, explainer), ""};
    if (row.status.standing == Standing::running) {
      const pipeline::Node& instance = planned.graph.nodes[node];
      const bool own = planned.graph.has_matrix && instance.runs.size() == 1;
      const auto folder = own ? run_folder(planned.graph, planned.graph.runs[instance.runs.front()])
                              : std::filesystem::path("runs") / planned.graph.pipeline;
      row.progress = progress_of(folder / "events.jsonl", instance.stage());
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string text_of(const std::vector<Row>& rows) {
  std::string text;
  std::map<std::string, size_t> counts;
  for (const Row& row : rows) {
    ++counts[name_of(row.status.standing)];
    text += fmt::format("{:11} {:24} {}{}{}\n", name_of(row.status.standing), row.label, row.progress,
                        row.progress.empty() || row.status.detail.empty() ? "" : "; ", row.status.detail);
  }
  std::string sums;
  for (const auto& [name, count] : counts) sums += fmt::format("{}{} {}", sums.empty() ? "" : ", ", count, name);
  return text + sums + "\n";
}

Value json_of(const std::vector<Row>& rows) {
  Value stages = Value::array();
  for (const Row& row : rows) {
    stages.push_back({{"stage", row.label},
                      {"state", name_of(row.status.standing)},
                      {"detail", row.status.detail},
                      {"progress", row.progress}});
    if (row.status.holder)
      stages.back()["holder"] = {
          {"host", row.status.holder->host}, {"pid", row.status.holder->pid}, {"since", row.status.holder->since}};
  }
  return {{"stages", stages}};
}

int status_command(const ConfigOptions& options, bool watch, const OutputFlags& output,
                   const pipeline::StageTable& kinds) {
  const std::atomic<bool>& interrupted = watch_signals();
  for (;;) {
    const auto rows = rows_of(options, kinds);
    const std::string text = output.json ? json_of(rows).dump() + "\n" : text_of(rows);
    std::cout << (watch && isatty(STDOUT_FILENO) ? clear_screen : "") << text << std::flush;
    const bool finished = std::none_of(rows.begin(), rows.end(),
                                       [](const Row& row) { return row.status.standing == Standing::running; }) &&
                          std::all_of(rows.begin(), rows.end(), [](const Row& row) {
                            return row.status.standing == Standing::done || row.status.standing == Standing::pruned;
                          });
    if (!watch || finished) return 0;
    const auto until = std::chrono::steady_clock::now() + refresh_interval;
    while (std::chrono::steady_clock::now() < until) {
      if (interrupted.load()) return 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

int logs_command(const ConfigOptions& options, const std::string& stage, const OutputFlags& output,
                 const pipeline::StageTable& kinds) {
  ConfigOptions only = options;
  only.targets = {stage.substr(0, stage.find('@'))};
  const PlannedConfig planned = plan_config(only, kinds);
  const int node = find_node(planned.graph, stage);
  const auto action = pipeline::action_of(planned.graph, node, planned.plan, pipeline::published_in(planned.plan));
  const auto attempts = action ? planned.store.attempts(*action) : std::vector<pipeline::Attempt>();
  if (output.json) {
    Value all = Value::array();
    for (const auto& attempt : attempts) all.push_back(to_json(attempt));
    std::cout << Value{{"stage", stage}, {"attempts", all}}.dump() << '\n';
    return 0;
  }
  if (attempts.empty()) {
    std::cerr << fmt::format(
        "{}: it has not run with these inputs and parameters (penstock explain shows what differs)\n",
        label_of(planned.graph, node));
    return 0;
  }
  const pipeline::Attempt& last = attempts.back();
  std::cout << fmt::format(
      "{}, attempt {}: {} on {}, {} x {}, {:.1f} s, exit code {}\n{}{}", label_of(planned.graph, node), last.number,
      last.start, last.host, pipeline::counted(last.ranks, "rank"), pipeline::counted(last.threads, "thread"),
      last.wall_seconds, last.exit_code, last.log, last.message.empty() ? "" : last.message + "\n");
  return 0;
}

struct StatusFlags {
  ConfigOptions config;
  bool watch = false;
};

struct LogsFlags {
  ConfigOptions config;
  std::string stage;
};

}  // namespace

void add_status(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("status", "per stage: done, running, stale, failed; which run works on it");
  const auto flags = std::make_shared<StatusFlags>();
  add_config_flags(*command, flags->config);
  command->add_flag("--watch", flags->watch, "refresh every two seconds until all is done");
  command->callback(
      [flags, &context] { context.code = status_command(flags->config, flags->watch, context.output, context.kinds); });
}

void add_logs(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("logs", "the log of a stage's last run");
  const auto flags = std::make_shared<LogsFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("STAGE", flags->stage, "a stage, or STAGE@RUN with a matrix")->required();
  command->callback(
      [flags, &context] { context.code = logs_command(flags->config, flags->stage, context.output, context.kinds); });
}

}  // namespace penstock::launch
