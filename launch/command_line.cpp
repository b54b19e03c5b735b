#include "launch/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "launch/commands/cache_command_line.h"
#include "launch/commands/commands.h"
#include "launch/completion.h"
#include "launch/job/job.h"
#include "pipeline/config/error_index.h"
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
  stages::BenchRequest bench;
  bool count = false;
  bool gpu = false;
  WorldFlags world;
  int64_t steps = 0;
  bool origin = false;
  bool watch = false;
  bool expand = false;
  std::string format = "dot";
  std::string sort, first, second;
  bool markdown = false;
  std::string stage;
  std::string kind;
  std::string shell;
};

void add_voice(CLI::App& command, Voice& voice) {
  command.add_flag("--json", voice.json, "results as JSON on stdout");
  command.add_flag("-v,--verbose", voice.verbose, "say more");
  command.add_flag("-q,--quiet", voice.quiet, "say only what went wrong");
  const std::map<std::string, Progress> progress = {
      {"auto", Progress::automatic}, {"bar", Progress::bar}, {"plain", Progress::plain}, {"none", Progress::none}};
  command.add_option("--progress", voice.progress, "how progress is shown")
      ->transform(CLI::CheckedTransformer(progress).description(""))
      ->type_name("auto|bar|plain|none");
  const std::map<std::string, Color> colors = {
      {"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}};
  command.add_option("--color", voice.color, "colours on the terminal")
      ->transform(CLI::CheckedTransformer(colors).description(""))
      ->type_name("auto|always|never");
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
                   "read every input file again instead of trusting its times");
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
                      "a job of N ranks, tried out on paper: who does what, memory, step time; several: 1,2,4,8")
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

void add_run_flags(CLI::App& command, RunFlags& flags) {
  command.add_option("-j,--jobs", flags.jobs, "stages or runs side by side, each on its share of the ranks")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20).description(""));
  CLI::Option* keep =
      command.add_flag("-k,--keep-going", flags.keep_going, "after a failure go on with what does not depend on it");
  command.add_flag("--fail-fast", flags.fail_fast, "a failure interrupts what runs beside it")->excludes(keep);
  command
      .add_option("--time-budget", flags.time_budget,
                  "save in time and end with 75 before this long has passed: 3h50m (default: until Slurm ends the job)")
      ->type_name("TIME");
  command.add_flag("--no-commands", flags.no_commands, "refuse stages that start other programs");
  command.add_flag("--no-lease", flags.no_lease, "do not look whether another run is making the same");
  command.add_flag("--no-wait", flags.no_wait, "fail (73) instead of waiting for another run that is making the same");
}

// "synthesize|unzip|...", as a type's name.
std::string names_of(const pipeline::StageTable& kinds) {
  std::string names;
  for (const pipeline::StageKind& kind : kinds) names += (names.empty() ? "" : "|") + kind.name;
  return names;
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
    for (const CLI::App* other : group->get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(other->get_name());
  }
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  std::string message = (word.starts_with("-") ? "unknown flag '" : "unexpected argument '") + word + "'";
  if (const auto near = pipeline::nearest_name(word, names)) message += "; did you mean '" + *near + "'?";
  return message;
}

// A shell's variable that is not set must not select everything: --select "$WHICH".
void refuse_empty_values(CLI::App& command) {
  for (CLI::Option* option : command.get_options([](CLI::Option*) { return true; })) {
    if (option->get_items_expected_min() == 0) continue;  // a flag
    option->check(CLI::Validator([](std::string& text) { return text.empty() ? "the value is empty" : ""; }, ""));
  }
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
  run->add_flag("--rehearse", parsed.config.rehearse,
                "every stage with 8 images and 2 steps, in a store that is thrown away: does it work at all?");
  run->callback([&] { code = run_command(parsed.config, parsed.flags, parsed.voice, kinds); });

  CLI::App* plan = app.add_subcommand("plan", "what would run, and why");
  add_config(*plan, parsed.config);
  add_selection(*plan, parsed.config);
  plan->add_flag("--count", parsed.count, "only how many stages would run");
  add_world(*plan, parsed.world);
  plan->callback([&] { code = plan_command(parsed.config, {parsed.count, parsed.world}, parsed.voice, kinds); });

  CLI::App* validate = app.add_subcommand("validate", "every error of a configuration at once; touches no data");
  add_config(*validate, parsed.config);
  validate->callback([&] { code = validate_command(parsed.config, parsed.voice, kinds); });

  CLI::App* explain = app.add_subcommand(
      "explain", "which part of a stage's key differs from what was done before; or what an error's code means");
  add_config(*explain, parsed.config);
  explain->add_option("STAGE", parsed.stage,
                      "a stage, or STAGE@RUN with a matrix; left out when CONFIG is an error's code (E203)");
  explain->callback([&] {
    const std::string first = parsed.config.file.string();
    if (parsed.stage.empty() && !pipeline::is_error_code(first)) throw CLI::RequiredError("STAGE");
    code = parsed.stage.empty() ? explain_error_command(first)
                                : explain_command(parsed.config, parsed.stage, parsed.voice, kinds);
  });

  CLI::App* status = app.add_subcommand("status", "per stage: done, running, stale, failed; who is at work");
  add_config(*status, parsed.config);
  status->add_flag("--watch", parsed.watch, "look again every two seconds until all is done");
  status->callback([&] { code = status_command(parsed.config, parsed.watch, parsed.voice, kinds); });

  CLI::App* logs = app.add_subcommand("logs", "what a stage said when it ran last");
  add_config(*logs, parsed.config);
  logs->add_option("STAGE", parsed.stage, "a stage, or STAGE@RUN with a matrix")->required();
  logs->callback([&] { code = logs_command(parsed.config, parsed.stage, parsed.voice, kinds); });

  CLI::App* graph = app.add_subcommand("graph", "the pipeline as a drawing, coloured by what is done");
  add_config(*graph, parsed.config);
  graph->add_option("--format", parsed.format, "dot, mermaid or json")
      ->check(CLI::IsMember({"dot", "mermaid", "json"}))
      ->type_name("");
  graph->add_flag("--expand", parsed.expand, "every instance of a matrix apart");
  graph->callback(
      [&] { code = graph_command(parsed.config, parsed.voice.json ? "json" : parsed.format, parsed.expand, kinds); });

  CLI::App* runs =
      app.add_subcommand("runs", "a sweep's table: parameters, metrics (mean and deviation over seeds), state");
  add_config(*runs, parsed.config);
  add_run_filter(*runs, parsed.config);
  runs->add_option("--sort", parsed.sort, "by this metric, largest first: validation.dice, test.map")
      ->type_name("METRIC");
  runs->add_flag("--each", parsed.expand, "every run apart, without averaging over seeds");
  runs->callback([&] { code = runs_command(parsed.config, parsed.sort, parsed.expand, parsed.voice, kinds); });

  CLI::App* diff = app.add_subcommand("diff", "what differs between two runs of a sweep: parameters and metrics");
  add_config(*diff, parsed.config);
  diff->add_option("A", parsed.first, "the beginning of a run's id")->required();
  diff->add_option("B", parsed.second, "the beginning of another's")->required();
  diff->callback([&] { code = diff_command(parsed.config, parsed.first, parsed.second, parsed.voice, kinds); });

  CLI::App* config = app.add_subcommand("config", "the final values of a configuration");
  add_config(*config, parsed.config);
  config->add_flag("--origin", parsed.origin, "say where each value came from");
  config->callback([&] { code = config_command(parsed.config, parsed.origin, parsed.voice, kinds); });

  CLI::App* stages = app.add_subcommand("stages", "the stage kinds, or one of them with ports and parameters");
  stages->add_option("KIND", parsed.kind, "a stage kind")->type_name(names_of(kinds));
  stages->add_flag("--markdown", parsed.markdown,
                   "as Markdown; of all kinds with every other key and error: configs/REFERENCE.md");
  stages->callback([&] {
    code = parsed.markdown ? markdown_command(parsed.kind, kinds) : stages_command(parsed.kind, parsed.voice, kinds);
  });

  CLI::App* schema = app.add_subcommand("schema", "a JSON Schema of configuration files, for editors");
  schema->callback([&] { code = schema_command(kinds); });

  CLI::App* completion = app.add_subcommand(
      "completion", "a script that completes commands and flags: source <(penstock completion bash)");
  completion->add_option("SHELL", parsed.shell, "the shell that reads it")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->type_name("bash|zsh|fish");
  completion->callback([&] { std::cout << completion_script(app, parsed.shell); });

  CLI::App* replay = app.add_subcommand(
      "replay", "steps of a training again, from a checkpoint to the next: are the weights the same?");
  add_config(*replay, parsed.config);
  replay->add_option("STAGE", parsed.stage,
                     "a stage, or STAGE@RUN with a matrix (default: the one that keeps checkpoints)");
  replay
      ->add_option("--steps", parsed.steps,
                   "this many steps, compared with the same again where no checkpoint is there to compare with")
      ->type_name("K")
      ->check(CLI::Range(1, 1 << 30));
  replay->callback([&] { code = replay_command(parsed.config, parsed.stage, parsed.steps, parsed.voice, kinds); });

  CLI::App* bench = app.add_subcommand("bench", "throughput on this machine, with random data");
  bench->add_option("WHAT", parsed.bench.what, "train: steps of training; reduce: sums over the ranks")
      ->required()
      ->check(CLI::IsMember({"train", "reduce"}))
      ->type_name("");
  bench->add_option("--base-channels", parsed.bench.base_channels, "of the U-Net")->check(CLI::Range(1, 512));
  bench->add_option("--depth", parsed.bench.depth, "of the U-Net")->check(CLI::Range(1, 7));
  bench->add_option("--channels", parsed.bench.channels, "of an image")->check(CLI::Range(1, 3));
  bench->add_option("--norm", parsed.bench.norm, "of the U-Net")
      ->check(CLI::IsMember({"batch", "sync", "group", "none"}).description(""))
      ->type_name("batch|sync|group|none");
  bench->add_option("--size", parsed.bench.size, "pixels, width and height")->check(CLI::Range(16, 4096));
  bench->add_option("--batch", parsed.bench.global_batch, "samples a step, of all ranks")->check(CLI::Range(1, 65536));
  bench->add_option("--micro-batch", parsed.bench.micro_batch, "samples that one worker processes at once")
      ->check(CLI::Range(1, 1024));
  bench->add_option("--steps", parsed.bench.steps, "steps that are measured")->check(CLI::Range(1, 100000));
  bench
      ->add_option("--compare", parsed.bench.compare,
                   "train: with and without the reducer, world or run, overlap or not, graph or eager, in turn")
      ->check(CLI::IsMember({"reducer", "world", "overlap", "graph"}))
      ->type_name("");
  bench->add_option("--device", parsed.bench.device, "train: auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("");
  bench->add_option("--precision", parsed.bench.precision, "train: fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->type_name("");
  bench->callback([&] { code = bench_command(parsed.bench, parsed.voice); });

  CLI::App* doctor = app.add_subcommand(
      "doctor", "is this machine fit: cores, memory, MPI, LibTorch, HDF5, disk; under mpirun on every rank");
  doctor->add_flag("--gpu", parsed.gpu,
                   "also every check of the GPUs: driver, NCCL, kernels and training against the host, speed");
  doctor->callback([&] { code = doctor_command(parsed.gpu, parsed.voice); });

  CLI::App* predict = app.add_subcommand("predict", "segment images with a trained model");
  predict->add_option("MODEL", parsed.predict.model, "a model folder, or a run's folder")->required();
  predict->add_option("INPUT", parsed.predict.inputs, "images, folders or archives")->required();
  predict->add_option("--output", parsed.predict.output, "folder for the results; made")->required()->type_name("DIR");
  predict->callback([&] { code = predict_command(parsed.predict, parsed.voice); });

  add_cache_commands(app, parsed.cache, parsed.voice, kinds, code);

  const auto any = [](const CLI::App*) { return true; };
  for (CLI::App* command : app.get_subcommands(any)) {
    refuse_empty_values(*command);
    for (CLI::App* inner : command->get_subcommands(any)) refuse_empty_values(*inner);
    if (command->get_subcommands(any).empty()) add_voice(*command, parsed.voice);
    for (CLI::App* inner : command->get_subcommands(any)) add_voice(*inner, parsed.voice);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    leave_it_to_rank0();
    std::string name = "penstock";
    for (const CLI::App* command = &app; !command->get_subcommands().empty();) {
      command = command->get_subcommands().front();
      name += " " + command->get_name();
    }
    throw Error(ExitCode::usage,
                name + ": " + with_suggestion(app, error) + "\nRun '" + name + " --help' for what it takes.");
  } catch (const Error&) {
    leave_it_to_rank0();
    throw;
  }
  return code;
}

}  // namespace penstock::launch
