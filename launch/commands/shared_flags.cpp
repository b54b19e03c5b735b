#include "launch/commands/shared_flags.h"

#include <CLI/CLI.hpp>
#include <map>

namespace penstock::launch {

void add_output_flags(CLI::App& command, OutputFlags& output) {
  command.add_flag("--json", output.json, "results as JSON on stdout");
  command.add_flag("-v,--verbose", output.verbose, "show more messages");
  command.add_flag("-q,--quiet", output.quiet, "show only errors");
  const std::map<std::string, Progress> progress = {
      {"auto", Progress::automatic}, {"bar", Progress::bar}, {"plain", Progress::plain}, {"none", Progress::none}};
  command.add_option("--progress", output.progress, "how progress is shown")
      ->transform(CLI::CheckedTransformer(progress).description(""))
      ->type_name("auto|bar|plain|none");
  const std::map<std::string, Color> colors = {
      {"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}};
  command.add_option("--color", output.color, "colours on the terminal")
      ->transform(CLI::CheckedTransformer(colors).description(""))
      ->type_name("auto|always|never");
}

void add_overrides(CLI::App& command, ConfigOptions& config) {
  command.add_option("--set", config.sets, "override a parameter: stage.param=VALUE (a TOML value)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--input", config.inputs, "override an input: stage.port=PATH, from the working directory")
      ->type_name("PORT=PATH")
      ->allow_extra_args(false);
}

void add_config_flags(CLI::App& command, ConfigOptions& config) {
  command.add_option("CONFIG", config.file, "the pipeline's TOML file")->required();
  add_overrides(command, config);
  command.add_option("--store", config.store, "folder of the cache (default: the configuration's, .penstock)")
      ->type_name("DIR");
}

void add_run_filter(CLI::App& command, ConfigOptions& config) {
  command
      .add_option("--select", config.select, "of a matrix, the runs with these values: 'train.lr<=3e-4, train.seed=11'")
      ->type_name("CONDITIONS");
  command.add_option("--part", config.part, "of a matrix, the i-th of n parts: for job arrays on one store")
      ->type_name("I/N");
}

void add_selection(CLI::App& command, ConfigOptions& config) {
  command.add_option("TARGET", config.targets, "stages to build (default: the configuration's targets)");
  CLI::Option* until = command.add_option("--until", config.until, "stop after this stage")->type_name("STAGE");
  CLI::Option* from =
      command.add_option("--from", config.from, "run nothing upstream of this stage")->type_name("STAGE");
  command.add_option("--only", config.only, "run this stage alone")
      ->type_name("STAGE")
      ->excludes(until)
      ->excludes(from);
  add_run_filter(command, config);
  command.add_flag("--force", config.force, "run again: everything, or with =STAGE[,STAGE] those")
      ->type_name("[=STAGE]");
  command.add_flag("--verify-inputs", config.verify_inputs,
                   "read and digest every input file again, even where its size and times are unchanged");
}

}  // namespace penstock::launch
