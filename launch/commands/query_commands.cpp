// The commands that look and run nothing: plan, validate, explain, config, stages.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "launch/commands/commands.h"
#include "launch/job/looked.h"
#include "launch/world/world_plan.h"
#include "pipeline/config/diagnostic.h"
#include "pipeline/config/error_index.h"
#include "pipeline/config/reference.h"
#include "pipeline/suggestion.h"
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

Value plan_json(const Looked& looked, pipeline::Explainer& explainer) {
  Value stages = Value::array();
  for (const int index : looked.plan.listed()) {
    const pipeline::Node& node = looked.graph.nodes[index];
    stages.push_back({{"stage", node.stage()},
                      {"run", run_json(looked.graph, node)},
                      {"state", pipeline::name_of(looked.plan.nodes[index].state)},
                      {"reason", explainer.why(index).reason}});
  }
  return {{"runs", std::count(looked.plan.runs.begin(), looked.plan.runs.end(), true)}, {"stages", std::move(stages)}};
}

// Instances of one stage in one state, told as one line.
struct PlanRow {
  State state;
  const std::string* stage;
  int first;
  size_t count = 0;
};

std::vector<PlanRow> rows_of(const Looked& looked) {
  std::vector<PlanRow> rows;
  for (const int index : looked.plan.listed()) {
    const State state = looked.plan.nodes[index].state;
    const std::string& stage = looked.graph.nodes[index].stage();
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
  std::string text = ranks < world ? fmt::format("in {} group{} of {} rank{}", world / ranks,
                                                 world / ranks == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s")
                                   : fmt::format("on {} rank{}", ranks, ranks == 1 ? "" : "s");
  if (asked > world) text += fmt::format(", though it asks for {}", asked);
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

// "3 of 9 stages would run (1 goes on from a shorter run) in 4 runs; about 2 min by history"
std::string summary_of(const Looked& looked, const std::vector<PlanRow>& rows, pipeline::Explainer& explainer) {
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
  if (looked.graph.has_matrix)
    text += fmt::format(" in {} runs", std::count(looked.plan.runs.begin(), looked.plan.runs.end(), true));
  if (running > unknown) text += fmt::format("; about {} one after another, by history", stages::duration(seconds));
  if (running > unknown && unknown > 0) text += fmt::format(", without {} that never ran", unknown);
  return text;
}

}  // namespace

int plan_command(const ConfigOptions& options, const PlanFlags& flags, const Voice& voice,
                 const pipeline::StageTable& kinds) {
  const std::vector<int> worlds = flags.world.world.empty() ? std::vector<int>() : rank_counts(flags.world.world);
  const Looked looked = look(options, kinds);
  pipeline::Explainer explainer(looked.graph, looked.plan, looked.store);
  std::optional<WorldPlan> world;
  if (!worlds.empty()) world = make_world_plan(looked, flags.world);
  if (voice.json) {
    Value json = plan_json(looked, explainer);
    if (world) json["world"] = json_of(*world);
    std::cout << json.dump() << '\n';
    return 0;
  }
  const auto rows = rows_of(looked);
  if (!flags.count) {
    for (const PlanRow& row : rows) {
      const std::string label =
          row.count > 1 ? fmt::format("{} x{}", *row.stage, row.count) : label_of(looked.graph, row.first);
      std::cout << fmt::format("{:6} {:24} {}\n", pipeline::name_of(row.state), label, explainer.why(row.first).reason);
      if (worlds.size() == 1)
        std::cout << fmt::format("{:32}{}\n", "", sharing_of(looked.graph.nodes[row.first], worlds.front()));
    }
  }
  std::cout << summary_of(looked, rows, explainer) << '\n';
  if (world && !flags.count) std::cout << text_of(*world);
  return 0;
}

int validate_command(const ConfigOptions& options, const Voice& voice, const pipeline::StageTable& kinds) {
  Graph graph;
  try {
    graph = pipeline::load_config(request_of(options), kinds).graph;
  } catch (const pipeline::ConfigError& error) {
    if (!voice.json) throw;
    Value errors = Value::array();
    for (const pipeline::Diagnostic& one : error.found()) {
      Value notes = Value::array();
      for (const pipeline::Note& note : one.notes) {
        notes.push_back({{"file", note.position.file},
                         {"line", note.position.line},
                         {"column", note.position.column},
                         {"message", note.text}});
      }
      errors.push_back({{"code", one.code},
                        {"file", one.position.file},
                        {"line", one.position.line},
                        {"column", one.position.column},
                        {"message", one.sentence},
                        {"notes", notes}});
    }
    const Value said = {{"valid", false}, {"errors", std::move(errors)}};
    std::cout << said.dump(-1, ' ', false, Value::error_handler_t::replace) << '\n';  // they quote the command line
    return static_cast<int>(error.code());
  }
  const size_t stages = graph.nodes.size();
  if (voice.json) {
    std::cout << Value{{"valid", true}, {"runs", graph.runs.size()}, {"stages", stages}}.dump() << '\n';
  } else {
    std::cout << fmt::format("{}: valid; {} stages, {} run{}\n", options.file.string(), stages, graph.runs.size(),
                             graph.runs.size() == 1 ? "" : "s");
  }
  return 0;
}

int explain_command(const ConfigOptions& options, const std::string& stage, const Voice& voice,
                    const pipeline::StageTable& kinds) {
  ConfigOptions only = options;
  only.targets = {stage.substr(0, stage.find('@'))};
  const Looked looked = look(only, kinds);
  const int node = find_node(looked.graph, stage);
  const State state = looked.plan.nodes[node].state;
  const pipeline::Explanation explanation = pipeline::Explainer(looked.graph, looked.plan, looked.store).why(node);
  if (voice.json) {
    Value rows = Value::array();
    for (const auto& one : explanation.differences) {
      rows.push_back({{"field", one.field}, {"before", one.before}, {"after", one.after}});
    }
    std::cout << Value{{"stage", stage},
                       {"state", pipeline::name_of(state)},
                       {"reason", explanation.reason},
                       {"differences", rows}}
                     .dump()
              << '\n';
    return 0;
  }
  std::cout << fmt::format("{}: {}: {}\n", label_of(looked.graph, node),
                           state == State::hit ? "nothing to do" : "would run", explanation.reason);
  for (const auto& one : explanation.differences)
    std::cout << fmt::format("  {}: {} -> {}\n", one.field, one.before, one.after);
  return 0;
}

int explain_error_command(const std::string& code) {
  const pipeline::Rule* rule = pipeline::find_rule(code);
  if (rule == nullptr) {
    std::vector<std::string> codes;
    for (const pipeline::Rule& one : pipeline::rules()) codes.emplace_back(one.code);
    throw Error(ExitCode::usage,
                fmt::format("explain: there is no error '{}'{}", code, pipeline::did_you_mean(code, codes)));
  }
  std::cout << fmt::format("{}: {}\n{}\n", rule->code, rule->meaning, rule->remedy);
  return 0;
}

int config_command(const ConfigOptions& options, bool origin, const Voice& voice, const pipeline::StageTable& kinds) {
  const auto loaded = pipeline::load_config(request_of(options), kinds);
  if (voice.json) {
    Value rows = Value::array();
    for (const auto& setting : loaded.settings) {
      rows.push_back({{"key", setting.key}, {"value", setting.value}, {"origin", setting.origin}});
    }
    std::cout << rows.dump() << '\n';
    return 0;
  }
  size_t width = 0;
  for (const auto& setting : loaded.settings)
    width = std::max(width, setting.key.size() + setting.value.dump().size() + 3);
  for (const auto& setting : loaded.settings) {
    const std::string line = setting.key + " = " + setting.value.dump();
    std::cout << (origin ? fmt::format("{:{}}  # {}\n", line, std::min<size_t>(width, 60), setting.origin)
                         : line + "\n");
  }
  return 0;
}

int stages_command(const std::string& kind, const Voice& voice, const pipeline::StageTable& kinds) {
  if (kind.empty()) {
    Value rows = Value::array();
    for (const pipeline::StageKind& one : kinds) {
      rows.push_back({{"kind", one.name}, {"version", one.version}, {"summary", one.summary}});
      if (!voice.json) std::cout << fmt::format("{:12} {}\n", one.name, one.summary);
    }
    if (voice.json) std::cout << rows.dump() << '\n';
    return 0;
  }
  std::cout << pipeline::describe_kind(known_kind(kind, kinds));
  return 0;
}

const pipeline::StageKind& known_kind(const std::string& name, const pipeline::StageTable& kinds) {
  if (const pipeline::StageKind* found = pipeline::find_kind(kinds, name)) return *found;
  std::vector<std::string> names;
  for (const pipeline::StageKind& one : kinds) names.push_back(one.name);
  throw Error(ExitCode::usage,
              fmt::format("stages: there is no kind '{}'{}", name, pipeline::instead_of(name, names, "known:")));
}

}  // namespace penstock::launch
