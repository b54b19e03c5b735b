// stages and schema: what a configuration may contain, for people and for editors.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "launch/commands/commands.h"
#include "pipeline/suggestion.h"
#include "pipeline/syntax/json_schema.h"
#include "pipeline/syntax/reference.h"
#include "stages/training/links.h"

namespace penstock::launch {
namespace {

using pipeline::Value;

// Refuses a name that is no kind, with the nearest one: Error(usage).
const pipeline::StageKind& known_kind(const std::string& name, const pipeline::StageTable& kinds) {
  if (const pipeline::StageKind* found = pipeline::find_kind(kinds, name)) return *found;
  std::vector<std::string> names;
  for (const pipeline::StageKind& one : kinds) names.push_back(one.name);
  throw Error(ExitCode::usage,
              fmt::format("stages: there is no kind '{}'{}", name, pipeline::instead_of(name, names, "known:")));
}

int stages_command(const std::string& kind, const OutputFlags& output, const pipeline::StageTable& kinds) {
  if (kind.empty()) {
    Value rows = Value::array();
    for (const pipeline::StageKind& one : kinds) {
      rows.push_back({{"kind", one.name}, {"version", one.version}, {"summary", one.summary}});
      if (!output.json) std::cout << fmt::format("{:12} {}\n", one.name, one.summary);
    }
    if (output.json) std::cout << rows.dump() << '\n';
    return 0;
  }
  const pipeline::StageKind& known = known_kind(kind, kinds);
  std::cout << (output.json ? pipeline::kind_as_json(known).dump() + "\n" : pipeline::describe_kind(known));
  return 0;
}

int markdown_command(const std::string& kind, const OutputFlags& output, const pipeline::StageTable& kinds) {
  if (output.json) throw Error(ExitCode::usage, "stages: --markdown and --json are two forms of one text; give one");
  std::cout << (kind.empty() ? pipeline::reference_page(kinds) + stages::reference_of_links()
                             : pipeline::reference_section(known_kind(kind, kinds)));
  return 0;
}

int schema_command(const pipeline::StageTable& kinds) {
  std::cout << pipeline::json_schema(kinds).dump(1) << '\n';
  return 0;
}

// "synthesize|unzip|...", as a type's name.
std::string names_of(const pipeline::StageTable& kinds) {
  std::string names;
  for (const pipeline::StageKind& kind : kinds) names += (names.empty() ? "" : "|") + kind.name;
  return names;
}

struct StagesFlags {
  std::string kind;
  bool markdown = false;
};

}  // namespace

void add_stages(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("stages", "the stage kinds, or one of them with ports and parameters");
  const auto flags = std::make_shared<StagesFlags>();
  command->add_option("KIND", flags->kind, "a stage kind")->type_name(names_of(context.kinds));
  command->add_flag("--markdown", flags->markdown,
                    "as Markdown; of all kinds with every other key and error: configs/REFERENCE.md");
  command->callback([flags, &context] {
    context.code = flags->markdown ? markdown_command(flags->kind, context.output, context.kinds)
                                   : stages_command(flags->kind, context.output, context.kinds);
  });
}

void add_schema(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("schema", "a JSON Schema of configuration files, for editors");
  command->callback([&context] { context.code = schema_command(context.kinds); });
}

}  // namespace penstock::launch
