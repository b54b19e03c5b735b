#include "launch/commands/cache_command_line.h"

namespace penstock::launch {
namespace {

void add_store(CLI::App& command, CacheOptions& options, bool may_name_config) {
  command
      .add_option("--store", options.config.store, "folder of the store (default: the configuration's, or .penstock)")
      ->type_name("DIR");
  if (may_name_config) command.add_option("CONFIG", options.config.file, "a pipeline's TOML file, whose store it is");
}

// What may change which keys a configuration means.
void add_overrides(CLI::App& command, CacheOptions& options) {
  command.add_option("--set", options.config.sets, "override a parameter: stage.param=VALUE (a TOML value)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--input", options.config.inputs, "override an input: stage.port=PATH")
      ->type_name("PORT=PATH")
      ->allow_extra_args(false);
}

void add_pin(CLI::App& command, CacheOptions& options) {
  add_store(command, options, false);
  command
      .add_option("CONFIG|KEY", options.what,
                  "a pipeline's TOML file, or the beginning of an action key as `cache ls` shows it")
      ->required();
  command.add_option("STAGE", options.stage, "with CONFIG: a stage, or STAGE@RUN with a matrix");
  add_overrides(command, options);
}

void add_gc_flags(CLI::App& command, CacheOptions& options) {
  command.add_flag("--yes", options.yes, "remove it; without, it is only told what would go");
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
  command.add_option("--grace", options.grace, "never remove what was made or used within that many hours (24)")
      ->type_name("HOURS")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_cache_commands(CLI::App& app, CacheOptions& options, const Voice& voice, const pipeline::StageTable& kinds,
                        int& code) {
  CLI::App* cache = app.add_subcommand("cache", "look at a store, clean it, check it, take it elsewhere");
  cache->require_subcommand(1);

  CLI::App* ls = cache->add_subcommand("ls", "every publication, and the room that everything takes");
  add_store(*ls, options, true);
  ls->add_option("--sort", options.sort, "size, or used (the latest first)")
      ->check(CLI::IsMember({"size", "used"}))
      ->type_name("");
  ls->callback([&] { code = cache_ls_command(options, voice, kinds); });

  CLI::App* gc = cache->add_subcommand("gc", "tell what can go, and with --yes remove it; safe beside running jobs");
  add_store(*gc, options, true);
  add_gc_flags(*gc, options);
  gc->callback([&] { code = cache_gc_command(options, voice, kinds); });

  CLI::App* verify =
      cache->add_subcommand("verify", "read every stored byte again and compare; 65 when something is bad");
  add_store(*verify, options, true);
  verify->add_flag("--repair", options.repair, "move what is bad aside, so that the next run makes it again");
  verify->callback([&] { code = cache_verify_command(options, voice, kinds); });

  CLI::App* pin = cache->add_subcommand("pin", "never collect what a stage published");
  add_pin(*pin, options);
  pin->callback([&] { code = cache_pin_command(options, true, voice, kinds); });
  CLI::App* unpin = cache->add_subcommand("unpin", "take a pin away");
  add_pin(*unpin, options);
  unpin->callback([&] { code = cache_pin_command(options, false, voice, kinds); });

  CLI::App* sending =
      cache->add_subcommand("export", "copy what a configuration published into a small store of its own");
  sending->add_option("CONFIG", options.config.file, "the pipeline's TOML file")->required();
  sending->add_option("TARGET", options.config.targets,
                      "stages with all upstream of them (default: the configuration's targets)");
  add_store(*sending, options, false);
  add_overrides(*sending, options);
  sending->add_option("--to", options.folder, "folder of the new store, or of one to add to")
      ->required()
      ->type_name("DIR");
  sending->callback([&] { code = cache_export_command(options, voice, kinds); });

  CLI::App* receiving = cache->add_subcommand("import", "take over what another store holds, each output verified");
  receiving->add_option("DIR", options.folder, "the other store")->required();
  add_store(*receiving, options, true);
  receiving->callback([&] { code = cache_import_command(options, voice, kinds); });
}

}  // namespace penstock::launch
