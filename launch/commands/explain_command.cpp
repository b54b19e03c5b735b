// explain: why a stage would run, as the fields of its key that differ; or what an error's code means.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/job/planned_config.h"
#include "pipeline/suggestion.h"
#include "pipeline/syntax/error_index.h"

namespace penstock::launch {
namespace {

using pipeline::State;
using pipeline::Value;

int explain_command(const ConfigOptions& options, const std::string& stage, const OutputFlags& output,
                    const pipeline::StageTable& kinds) {
  ConfigOptions only = options;
  only.targets = {stage.substr(0, stage.find('@'))};
  const PlannedConfig planned = plan_config(only, kinds);
  const int node = find_node(planned.graph, stage);
  const State state = planned.plan.nodes[node].state;
  const pipeline::Explanation explanation = pipeline::Explainer(planned.graph, planned.plan, planned.store).why(node);
  if (output.json) {
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
  std::cout << fmt::format("{}: {}: {}\n", label_of(planned.graph, node),
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

struct ExplainFlags {
  ConfigOptions config;
  std::string stage;
};

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "explain", "which part of a stage's key differs from earlier runs; or what an error's code means");
  const auto flags = std::make_shared<ExplainFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("STAGE", flags->stage,
                      "a stage, or STAGE@RUN with a matrix; left out when CONFIG is an error's code (E203)");
  command->callback([flags, &context] {
    const std::string first = flags->config.file.string();
    if (flags->stage.empty() && !pipeline::is_error_code(first)) throw CLI::RequiredError("STAGE");
    context.code = flags->stage.empty() ? explain_error_command(first)
                                        : explain_command(flags->config, flags->stage, context.output, context.kinds);
  });
}

}  // namespace penstock::launch
