// plan: what would run, and why; with --world, a dry run of a job of N ranks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/job/planned_config.h"
#include "launch/world/world_json.h"
#include "launch/world/world_plan.h"
#include "launch/world/world_text.h"
#include "pipeline/counted.h"
#include "stages/report/html.h"

namespace penstock::launch {
namespace {

using pipeline::Graph;
using pipeline::PlannedNode;
using pipeline::State;
using pipeline::Value;

// The run's id where an instance is not every run's, else null.
Value run_json(const Graph& graph, const pipeline::Node& node) {
  if (!graph.has_matrix || node.runs.size() == graph.runs.size()) return nullptr;
  return graph.runs[node.runs.front()].id;
}

Value plan_json(const PlannedConfig& planned, pipeline::Explainer& explainer) {
  Value stages = Value::array();
  for (const int index : planned.plan.listed()) {
    const pipeline::Node& node = planned.graph.nodes[index];
    stages.push_back({{"stage", node.stage()},
                      {"run", run_json(planned.graph, node)},
                      {"state", pipeline::name_of(planned.plan.nodes[index].state)},
                      {"reason", explainer.why(index).reason}});
  }
  return {{"runs", std::count(planned.plan.runs.begin(), planned.plan.runs.end(), true)},
          {"stages", std::move(stages)}};
}

// Instances of one stage in one state: one line.
struct PlanRow {
  State state;
  const std::string* stage;
  int first;
  size_t count = 0;
};

std::vector<PlanRow> rows_of(const PlannedConfig& planned) {
  std::vector<PlanRow> rows;
  for (const int index : planned.plan.listed()) {
    const State state = planned.plan.nodes[index].state;
    const std::string& stage = planned.graph.nodes[index].stage();
    auto row = std::find_if(rows.rbegin(), rows.rend(),
                            [&](const PlanRow& one) { return one.state == state && *one.stage == stage; });
    if (row == rows.rend()) {
      rows.push_back({state, &stage, index});
      row = rows.rbegin();
    }
    ++row->count;
  }
  return rows;
}

// How `world` ranks would share one instance.
std::string sharing_of(const pipeline::Node& node, int world) {
  const int asked = node.declaration->ranks;
  const int ranks = asked > 0 ? std::min(asked, world) : world;
  std::string text = ranks < world ? fmt::format("in {} of {}", pipeline::counted(world / ranks, "group"),
                                                 pipeline::counted(ranks, "rank"))
                                   : "on " + pipeline::counted(ranks, "rank");
  if (asked > world) text += fmt::format(", although it requests {}", asked);
  switch (node.kind().scope) {
    case pipeline::Scope::rank0:
      return "on rank 0";
    case pipeline::Scope::shared:
      return text + ", in buckets of samples";
    case pipeline::Scope::all_ranks:
      break;
  }
  return node.kind().layout ? text + ": " + node.kind().layout(node.values(), ranks) : text;
}

// "3 of 9 stages would run (1 from the progress of a shorter run) in 4 runs; about 2 min one after another, by history"
std::string summary_of(const PlannedConfig& planned, const std::vector<PlanRow>& rows, pipeline::Explainer& explainer) {
  size_t all = 0, running = 0, adopting = 0, pruned = 0, unknown = 0;
  double seconds = 0;
  for (const PlanRow& row : rows) {
    all += row.count;
    if (row.state == State::pruned) pruned += row.count;
    if (row.state == State::adopt) adopting += row.count;
    if (row.state != State::run && row.state != State::adopt) continue;
    running += row.count;
    const auto expected = explainer.expected_seconds(row.first);  // of the first instance, for all of them
    seconds += expected.value_or(0) * static_cast<double>(row.count);
    unknown += expected ? 0 : row.count;
  }
  std::string text = fmt::format("{} of {} stages would run", running, all);
  if (adopting > 0) text += fmt::format(" ({} from the progress of a shorter run)", adopting);
  if (pruned > 0) text += fmt::format(", {} given up", pruned);
  if (planned.graph.has_matrix)
    text += fmt::format(" in {} runs", std::count(planned.plan.runs.begin(), planned.plan.runs.end(), true));
  if (running > unknown) text += fmt::format("; about {} one after another, by history", stages::duration(seconds));
  if (running > unknown && unknown > 0) text += fmt::format(", without {} that never ran", unknown);
  return text;
}

struct PlanFlags {
  ConfigOptions config;
  bool count = false;  // only how many stages would run
  WorldFlags world;    // the job that is planned; without ranks: none
};

int plan_command(const PlanFlags& flags, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const std::vector<int> worlds = flags.world.world.empty() ? std::vector<int>() : rank_counts(flags.world.world);
  const PlannedConfig planned = plan_config(flags.config, kinds);
  pipeline::Explainer explainer(planned.graph, planned.plan, planned.store);
  std::optional<WorldPlan> world;
  if (!worlds.empty()) world = make_world_plan(planned, flags.world);
  if (output.json) {
    Value json = plan_json(planned, explainer);
    if (world) json["world"] = json_of(*world);
    std::cout << json.dump() << '\n';
    return 0;
  }
  const auto rows = rows_of(planned);
  if (!flags.count) {
    for (const PlanRow& row : rows) {
      const std::string label =
          row.count > 1 ? fmt::format("{} x{}", *row.stage, row.count) : label_of(planned.graph, row.first);
      std::cout << fmt::format("{:6} {:24} {}\n", pipeline::name_of(row.state), label, explainer.why(row.first).reason);
      if (worlds.size() == 1)
        std::cout << fmt::format("{:32}{}\n", "", sharing_of(planned.graph.nodes[row.first], worlds.front()));
    }
  }
  std::cout << summary_of(planned, rows, explainer) << '\n';
  if (world && !flags.count) std::cout << text_of(*world);
  return 0;
}

// "shared-memory|ethernet-10g|...|measured"
std::string names_of_links() {
  std::string names;
  for (const stages::NamedLink& link : stages::known_links()) names += link.name + "|";
  return names + "measured";
}

void add_world(CLI::App& command, WorldFlags& world) {
  CLI::Option* ranks =
      command
          .add_option("--world", world.world,
                      "dry run of a job of N ranks: shares of the work, memory, step time; several: 1,2,4,8")
          ->type_name("N[,N...]");
  command
      .add_option("--link", world.link,
                  "how ranks are joined: a name, figures (5us,12GB/s), or what `bench reduce` measured here")
      ->type_name(names_of_links())
      ->needs(ranks);
  command.add_option("--ranks-per-node", world.ranks_per_node, "ranks of one node; --link joins nodes")
      ->type_name("K")
      ->check(CLI::Range(1, 1 << 20))
      ->needs(ranks);
  command.add_option("--node-link", world.node_link, "how ranks of one node are joined (default: as nodes are)")
      ->type_name(names_of_links())
      ->needs(ranks);
  command.add_option("--threads", world.threads, "threads of a rank, each with a micro-shard (default: as measured)")
      ->type_name("T")
      ->check(CLI::Range(1, 4096))
      ->needs(ranks);
  command
      .add_option("--images-per-second", world.images_per_second,
                  "of one rank (default: what `bench train` or an earlier run measured)")
      ->type_name("X")
      ->check(CLI::PositiveNumber.description(""))
      ->needs(ranks);
  command.add_option("--samples", world.samples, "of the train subset, where the split has not run")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->needs(ranks);
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("plan", "what would run, and why");
  const auto flags = std::make_shared<PlanFlags>();
  add_config_flags(*command, flags->config);
  add_selection(*command, flags->config);
  command->add_flag("--count", flags->count, "only how many stages would run");
  add_world(*command, flags->world);
  command->callback([flags, &context] { context.code = plan_command(*flags, context.output, context.kinds); });
}

}  // namespace penstock::launch
