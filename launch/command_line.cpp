#include "launch/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "launch/cache_command_line.h"
#include "launch/commands.h"
#include "pipeline/error_index.h"
#include "pipeline/suggestion.h"

namespace penstock::launch {
namespace {

// Everything that parsing fills in; the callbacks of the chosen command read it.
struct Parsed {
  Voice voice;
  ConfigOptions config;
  RunFlags flags;
  stages::PredictRequest predict;
  CacheOptions cache;
  bool count = false;
  bool origin = false;
  std::string stage;
  std::string kind;
};

void add_voice(CLI::App& command, Voice& voice) {
  command.add_flag("--json", voice.json, "results as JSON on stdout");
  command.add_flag("-v,--verbose", voice.verbose, "say more");
  command.add_flag("-q,--quiet", voice.quiet, "say only what went wrong");
  const std::map<std::string, Progress> progress = {
      {"auto", Progress::automatic}, {"bar", Progress::bar}, {"plain", Progress::plain}, {"none", Progress::none}};
  command.add_option("--progress", voice.progress, "auto, bar, plain or none")
      ->transform(CLI::CheckedTransformer(progress))
      ->type_name("");
  const std::map<std::string, Color> colors = {
      {"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}};
  command.add_option("--color", voice.color, "auto, always or never")
      ->transform(CLI::CheckedTransformer(colors))
      ->type_name("");
}

void add_config(CLI::App& command, ConfigOptions& config) {
  command.add_option("CONFIG", config.file, "the pipeline's TOML file")->required();
  command.add_option("--set", config.sets, "override a parameter: stage.param=VALUE (a TOML value)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--input", config.inputs, "override an input: stage.port=PATH, from the working directory")
      ->type_name("PORT=PATH")
      ->allow_extra_args(false);
  command.add_option("--store", config.store, "folder of the cache (default: the configuration's, .penstock)")
      ->type_name("DIR");
}

void add_selection(CLI::App& command, ConfigOptions& config) {
  command.add_option("TARGET", config.targets, "stages to build (default: the configuration's targets)");
  CLI::Option* until = command.add_option("--until", config.until, "stop after this stage")->type_name("STAGE");
  CLI::Option* from = command.add_option("--from", config.from, "run nothing upstream of this stage")->type_name("STAGE");
  command.add_option("--only", config.only, "run this stage alone")->type_name("STAGE")->excludes(until)->excludes(from);
  command.add_option("--select", config.select, "of a matrix, the runs with these values: 'train.lr<=3e-4, train.seed=11'")->type_name("CONDITIONS");
  command.add_option("--part", config.part, "of a matrix, the i-th of n parts: for job arrays on one store")->type_name("I/N");
  command.add_flag("--force", config.force, "run again: everything, or with =STAGE[,STAGE] those")
      ->type_name("[=STAGE]");
  command.add_flag("--verify-inputs", config.verify_inputs, "read every input file again instead of trusting its times");
}

void add_run_flags(CLI::App& command, RunFlags& flags) {
  command.add_option("-j,--jobs", flags.jobs, "stages or runs side by side, each on its share of the ranks")->type_name("N")->check(CLI::Range(1, 1 << 20));
  CLI::Option* keep = command.add_flag("-k,--keep-going", flags.keep_going, "after a failure go on with what does not depend on it");
  command.add_flag("--fail-fast", flags.fail_fast, "a failure interrupts what runs beside it")->excludes(keep);
  command.add_flag("--no-commands", flags.no_commands, "refuse stages that start other programs");
  command.add_flag("--no-lease", flags.no_lease, "do not look whether another run is making the same");
  command.add_flag("--no-wait", flags.no_wait, "fail (73) instead of waiting for another run that is making the same");
}

// "--forse" is close to "--force": CLI11 names what it did not know, we name what was meant.
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
    for (const CLI::App* other : group->get_subcommands([](const CLI::App*) { return true; })) names.push_back(other->get_name());
  }
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  std::string message = (word.starts_with("-") ? "unknown flag '" : "unexpected argument '") + word + "'";
  if (const auto near = pipeline::nearest_name(word, names)) message += "; did you mean '" + *near + "'?";
  return message;
}

}  // namespace

int run_command_line(int argc, const char* const* argv, const pipeline::StageTable& kinds) {
  Parsed parsed;
  int code = 0;
  CLI::App app("Penstock: from a raw microscopy archive to a trained, evaluated and reported segmentation model.");
  app.name("penstock");
  app.set_version_flag("--version", "penstock " PENSTOCK_VERSION);
  app.require_subcommand(1);

  CLI::App* run = app.add_subcommand("run", "build the targets; resuming is the default, there is no flag for it");
  add_config(*run, parsed.config);
  add_selection(*run, parsed.config);
  add_run_flags(*run, parsed.flags);
  run->callback([&] { code = run_command(parsed.config, parsed.flags, parsed.voice, kinds); });

  CLI::App* plan = app.add_subcommand("plan", "what would run, and why");
  add_config(*plan, parsed.config);
  add_selection(*plan, parsed.config);
  plan->add_flag("--count", parsed.count, "only how many stages would run");
  plan->callback([&] { code = plan_command(parsed.config, parsed.count, parsed.voice, kinds); });

  CLI::App* validate = app.add_subcommand("validate", "every error of a configuration at once; touches no data");
  add_config(*validate, parsed.config);
  validate->callback([&] { code = validate_command(parsed.config, parsed.voice, kinds); });

  CLI::App* explain = app.add_subcommand("explain", "which part of a stage's key differs from what was done before; or what an error's code means");
  add_config(*explain, parsed.config);
  explain->add_option("STAGE", parsed.stage, "a stage, or STAGE@RUN with a matrix; left out when CONFIG is an error's code (E203)");
  explain->callback([&] {
    const std::string first = parsed.config.file.string();
    if (parsed.stage.empty() && !pipeline::is_error_code(first)) throw CLI::RequiredError("STAGE");
    code = parsed.stage.empty() ? explain_error_command(first) : explain_command(parsed.config, parsed.stage, parsed.voice, kinds);
  });

  CLI::App* config = app.add_subcommand("config", "the final values of a configuration");
  add_config(*config, parsed.config);
  config->add_flag("--origin", parsed.origin, "say where each value came from");
  config->callback([&] { code = config_command(parsed.config, parsed.origin, parsed.voice, kinds); });

  CLI::App* stages = app.add_subcommand("stages", "the stage kinds, or one of them with ports and parameters");
  stages->add_option("KIND", parsed.kind, "a stage kind");
  stages->callback([&] { code = stages_command(parsed.kind, parsed.voice, kinds); });

  CLI::App* predict = app.add_subcommand("predict", "segment images with a trained model");
  predict->add_option("MODEL", parsed.predict.model, "a model folder, or a run's folder")->required();
  predict->add_option("INPUT", parsed.predict.inputs, "images, folders or archives")->required();
  predict->add_option("--output", parsed.predict.output, "folder for the results; made")->required()->type_name("DIR");
  predict->callback([&] { code = predict_command(parsed.predict, parsed.voice); });

  add_cache_commands(app, parsed.cache, parsed.voice, kinds, code);

  const auto any = [](const CLI::App*) { return true; };
  for (CLI::App* command : app.get_subcommands(any)) {
    if (command->get_subcommands(any).empty()) add_voice(*command, parsed.voice);
    for (CLI::App* inner : command->get_subcommands(any)) add_voice(*inner, parsed.voice);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::string name = "penstock";
    for (const CLI::App* command = &app; !command->get_subcommands().empty();) {
      command = command->get_subcommands().front();
      name += " " + command->get_name();
    }
    throw Error(ExitCode::usage, name + ": " + with_suggestion(app, error) + "\nRun '" + name + " --help' for what it takes.");
  }
  return code;
}

}  // namespace penstock::launch
