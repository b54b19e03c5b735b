#include "launch/command_line.h"

#include <CLI/CLI.hpp>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/completion.h"
#include "launch/job/job.h"
#include "pipeline/suggestion.h"

namespace penstock::launch {
namespace {

const auto any = [](const CLI::App*) { return true; };

// "--forse" is close to "--force": CLI11 names the unknown word, this adds the nearest known one.
std::string with_suggestion(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::vector<std::string> unknown = command->remaining();
  if (unknown.empty()) unknown = app.remaining();
  if (unknown.empty()) return error.what();
  std::vector<std::string> names;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* group : {&app, command}) {
    for (const CLI::App* other : group->get_subcommands(any)) names.push_back(other->get_name());
  }
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  std::string message = (word.starts_with("-") ? "unknown flag '" : "unexpected argument '") + word + "'";
  if (const auto near = pipeline::nearest_name(word, names)) message += "; did you mean '" + *near + "'?";
  return message;
}

// An empty value is refused: a shell's variable that is not set (--select "$WHICH") must not select everything.
void refuse_empty_values(CLI::App& command) {
  for (CLI::Option* option : command.get_options([](CLI::Option*) { return true; })) {
    if (option->get_items_expected_min() == 0) continue;  // a flag
    option->check(CLI::Validator([](std::string& text) { return text.empty() ? "the value is empty" : ""; }, ""));
  }
}

// In the order of --help.
void add_commands(CLI::App& app, Context& context) {
  add_run(app, context);
  add_plan(app, context);
  add_validate(app, context);
  add_explain(app, context);
  add_status(app, context);
  add_logs(app, context);
  add_graph(app, context);
  add_runs(app, context);
  add_diff(app, context);
  add_config(app, context);
  add_stages(app, context);
  add_init(app, context);
  add_schema(app, context);
  add_completion(app);
  add_replay(app, context);
  add_bench(app, context);
  add_doctor(app, context);
  add_predict(app, context);
  add_cache(app, context);
  add_output_flags(app, context.output);  // before the command too: penstock --json status CONFIG
  for (CLI::App* command : app.get_subcommands(any)) {
    refuse_empty_values(*command);
    add_output_flags(*command, context.output);
    for (CLI::App* inner : command->get_subcommands(any)) {
      refuse_empty_values(*inner);
      add_output_flags(*inner, context.output);
    }
  }
}

// "penstock cache gc"
std::string name_of_chosen(const CLI::App& app) {
  std::string name = app.get_name();
  for (const CLI::App* command = &app; !command->get_subcommands().empty();) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  return name;
}

}  // namespace

int run_command_line(int argc, const char* const* argv, const pipeline::StageTable& kinds) {
  CLI::App app("Penstock: from a raw microscopy archive to a trained, evaluated and reported segmentation model.");
  app.name("penstock");
  app.set_version_flag("--version", "penstock " PENSTOCK_VERSION);
  app.require_subcommand(1);
  Context context{kinds};
  add_commands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& requested) {  // --help, --version
    return app.exit(requested);
  } catch (const CLI::ParseError& error) {
    leave_it_to_rank0();
    const std::string name = name_of_chosen(app);
    throw Error(ExitCode::usage,
                name + ": " + with_suggestion(app, error) + "\nRun '" + name + " --help' for what it takes.");
  } catch (const Error&) {
    leave_it_to_rank0();
    throw;
  }
  return context.code;
}

}  // namespace penstock::launch
