// cache: the words and flags of its commands.
#include <CLI/CLI.hpp>
#include <memory>

#include "launch/commands/cache_commands.h"
#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"

namespace penstock::launch {
namespace {

void add_store(CLI::App& command, CacheOptions& options, bool may_name_config) {
  command
      .add_option("--store", options.config.store, "folder of the store (default: the configuration's, or .penstock)")
      ->type_name("DIR");
  if (may_name_config) command.add_option("CONFIG", options.config.file, "a pipeline's TOML file, whose store it is");
}

void add_pin(CLI::App& command, CacheOptions& options) {
  add_store(command, options, false);
  command
      .add_option("CONFIG|KEY", options.what,
                  "a pipeline's TOML file, or the beginning of an action key as `cache ls` shows it")
      ->required();
  command.add_option("STAGE", options.stage, "with CONFIG: a stage, or STAGE@RUN with a matrix");
  add_overrides(command, options.config);
}

void add_gc_flags(CLI::App& command, CacheOptions& options) {
  command.add_flag("--yes", options.yes, "remove it; without this flag it is only listed");
  command
      .add_option("--older-than", options.older_than,
                  "also publications and unfinished work not used for that many days")
      ->type_name("DAYS")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--max-size", options.max_bytes, "also the least recently used, until the store fits: 50GB, 800MB")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(true));
  command
      .add_option("--keep", options.keep, "remove nothing that this configuration's plan reaches; may be given again")
      ->type_name("CONFIG")
      ->allow_extra_args(false);
  command.add_option("--grace", options.grace, "never remove what was published or used within that many hours (24)")
      ->type_name("HOURS")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_cache(CLI::App& app, Context& context) {
  const auto options = std::make_shared<CacheOptions>();
  CLI::App* cache = app.add_subcommand("cache", "list, clean, verify, export or import a store");
  cache->require_subcommand(1);

  CLI::App* ls = cache->add_subcommand("ls", "every publication, and the size of everything");
  add_store(*ls, *options, true);
  ls->add_option("--sort", options->sort, "size, or used (the latest first)")
      ->check(CLI::IsMember({"size", "used"}))
      ->type_name("");
  ls->callback([options, &context] { context.code = cache_ls_command(*options, context.output, context.kinds); });

  CLI::App* gc =
      cache->add_subcommand("gc", "list what can be removed, and with --yes remove it; safe beside running jobs");
  add_store(*gc, *options, true);
  add_gc_flags(*gc, *options);
  gc->callback([options, &context] { context.code = cache_gc_command(*options, context.output, context.kinds); });

  CLI::App* verify =
      cache->add_subcommand("verify", "read every stored byte and compare digests; 65 when something is damaged");
  add_store(*verify, *options, true);
  verify->add_flag("--repair", options->repair, "move what is damaged aside, so that the next run rebuilds it");
  verify->callback(
      [options, &context] { context.code = cache_verify_command(*options, context.output, context.kinds); });

  CLI::App* pin = cache->add_subcommand("pin", "protect what a stage published from gc");
  add_pin(*pin, *options);
  pin->callback(
      [options, &context] { context.code = cache_pin_command(*options, true, context.output, context.kinds); });
  CLI::App* unpin = cache->add_subcommand("unpin", "remove a pin");
  add_pin(*unpin, *options);
  unpin->callback(
      [options, &context] { context.code = cache_pin_command(*options, false, context.output, context.kinds); });

  CLI::App* sending =
      cache->add_subcommand("export", "copy what a configuration published into a small store of its own");
  sending->add_option("CONFIG", options->config.file, "the pipeline's TOML file")->required();
  sending->add_option("TARGET", options->config.targets,
                      "stages with all upstream of them (default: the configuration's targets)");
  add_store(*sending, *options, false);
  add_overrides(*sending, options->config);
  sending->add_option("--to", options->folder, "folder of the new store, or of one to add to")
      ->required()
      ->type_name("DIR");
  sending->callback(
      [options, &context] { context.code = cache_export_command(*options, context.output, context.kinds); });

  CLI::App* receiving =
      cache->add_subcommand("import", "copy what another store holds into this one, each output verified");
  receiving->add_option("DIR", options->folder, "the other store")->required();
  add_store(*receiving, *options, true);
  receiving->callback(
      [options, &context] { context.code = cache_import_command(*options, context.output, context.kinds); });
}

}  // namespace penstock::launch
