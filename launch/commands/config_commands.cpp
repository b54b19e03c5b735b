// validate and config: the errors of a configuration, and its final values.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "pipeline/config/config.h"
#include "pipeline/counted.h"
#include "pipeline/syntax/diagnostic.h"

namespace penstock::launch {
namespace {

using pipeline::Value;

int validate_command(const ConfigOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  pipeline::Graph graph;
  try {
    graph = pipeline::load_config(request_of(options), kinds).graph;
  } catch (const pipeline::ConfigError& error) {
    if (!output.json) throw;
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
    const Value verdict = {{"valid", false}, {"errors", std::move(errors)}};
    std::cout << verdict.dump(-1, ' ', false, Value::error_handler_t::replace) << '\n';  // they quote the command line
    return static_cast<int>(error.code());
  }
  const size_t stages = graph.nodes.size();
  if (output.json) {
    std::cout << Value{{"valid", true}, {"runs", graph.runs.size()}, {"stages", stages}}.dump() << '\n';
  } else {
    std::cout << fmt::format("{}: valid; {}, {}\n", options.file.string(),
                             pipeline::counted(static_cast<int64_t>(stages), "stage"),
                             pipeline::counted(static_cast<int64_t>(graph.runs.size()), "run"));
  }
  return 0;
}

int config_command(const ConfigOptions& options, bool origin, const OutputFlags& output,
                   const pipeline::StageTable& kinds) {
  const auto loaded = pipeline::load_config(request_of(options), kinds);
  if (output.json) {
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

struct ConfigFlags {
  ConfigOptions config;
  bool origin = false;
};

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("validate", "every error of a configuration at once; reads no data");
  const auto config = std::make_shared<ConfigOptions>();
  add_config_flags(*command, *config);
  command->callback([config, &context] { context.code = validate_command(*config, context.output, context.kinds); });
}

void add_config(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("config", "the final values of a configuration");
  const auto flags = std::make_shared<ConfigFlags>();
  add_config_flags(*command, flags->config);
  command->add_flag("--origin", flags->origin, "show where each value came from");
  command->callback([flags, &context] {
    context.code = config_command(flags->config, flags->origin, context.output, context.kinds);
  });
}

}  // namespace penstock::launch
