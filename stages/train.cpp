// train: a U-Net by data-parallel gradient descent on all ranks. The body is in compute/train_body.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "distributed/reducer/gradient_reducer.h"
#include "pipeline/counted.h"
#include "stages/compute_library.h"
#include "stages/kinds.h"
#include "stages/rehearsal.h"
#include "stages/resize_modes.h"
#include "stages/training/balances.h"
#include "stages/training/checkpoint_manifest.h"
#include "stages/training/normalisations.h"
#include "stages/training/norms.h"
#include "stages/training/schedules.h"
#include "stages/training/targets.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {
namespace {

// The multiples of micro_batch next to the requested size.
std::string near_batches(int64_t global_batch, int64_t micro_batch) {
  const int64_t below = global_batch / micro_batch * micro_batch;
  return below == 0 ? fmt::format("{} and {}", micro_batch, 2 * micro_batch)
                    : fmt::format("{} and {}", below, below + micro_batch);
}

// Where a run that differs only in when it ends may be continued from.
pipeline::Adoption adoptable(const pipeline::Values& values, const std::vector<std::filesystem::path>& relatives) {
  pipeline::Adoption adoption;
  const auto found = adoptable_checkpoints(train_parameters_of(values), relatives, &adoption.refusal);
  if (found.empty()) return adoption;
  const CheckpointManifest& furthest = found.front().manifest;
  adoption.from = fmt::format("epoch {}{} of a run that differs only in when it ends", furthest.epoch,
                              furthest.step_in_epoch > 0 ? fmt::format(" and {} steps", furthest.step_in_epoch) : "");
  return adoption;
}

// How the micro-shards of a step fall to the ranks: "4 micro-shards of 4 a step: 2+2".
std::string layout_of(const pipeline::Values& values, int ranks) {
  const auto parameters = train_parameters_of(values);
  std::string shares;
  int idle = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, last] = distributed::micro_shards_of(rank, ranks, static_cast<int>(parameters.micro_shards()));
    idle += first == last;
    if (rank < 8) shares += fmt::format("{}{}", rank == 0 ? "" : "+", last - first);
  }
  return fmt::format("{} micro-shards of {} a step: {}{}{}", parameters.micro_shards(), parameters.micro_batch, shares,
                     ranks > 8 ? "+..." : "",
                     idle == 0 ? ""
                               : fmt::format("; {} {} nothing (a larger global_batch or smaller micro_batch uses them)",
                                             pipeline::counted(idle, "rank"), idle == 1 ? "trains" : "train"));
}

// No crop is larger than every sample: it would show most of each mirrored.
void check_crop_fits(const pipeline::CheckView& view, const TrainParameters& parameters, pipeline::Problems& problems) {
  if (!resize_mode(view.upstream("resize", "mode")->get<std::string>()).by_sides) return;
  const auto width = view.upstream("resize", "width"), height = view.upstream("resize", "height");
  if (!width || !height) return;
  const int64_t most = std::max(width->get<int64_t>(), height->get<int64_t>());
  if (parameters.crop <= most) return;
  problems.push_back(
      {"crop",
       fmt::format("a crop of {} is larger than the {} x {} pixels that every sample fits into: set crop "
                   "to {} at most",
                   parameters.crop, width->get<int64_t>(), height->get<int64_t>(), most),
       "resize", "mode"});
}

// The network halves what it is given `depth` times: samples of one grid, or crops of samples of their own size.
void check_input(const pipeline::CheckView& view, const TrainParameters& parameters, pipeline::Problems& problems) {
  const int64_t factor = int64_t{1} << parameters.depth;
  const auto mode = view.upstream("resize", "mode");
  const bool own_size = mode && resize_mode(mode->get<std::string>()).own_size;
  if ((own_size || !mode) && parameters.crop % factor != 0) {
    problems.push_back(
        {"crop", fmt::format("depth {} halves a crop {} times, so its side must be a multiple of {}, is {}",
                             parameters.depth, parameters.depth, factor, parameters.crop)});
  }
  if (own_size) return check_crop_fits(view, parameters, problems);
  if (const std::string given = parameters.given_for_crops(); mode && !given.empty()) {
    problems.push_back({given,
                        fmt::format("{} has no effect where resize brings every picture to one size: take it out, or "
                                    "set resize.mode to \"native\"",
                                    given),
                        "resize", "mode"});
  }
  for (const char* side : {"width", "height"}) {
    const auto pixels = view.upstream("resize", side);
    if (!pixels || pixels->get<int64_t>() % factor == 0) continue;
    problems.push_back({"depth",
                        fmt::format("depth {} halves the image {} times, so its {} must be a multiple of {}, is {}",
                                    parameters.depth, parameters.depth, side, factor, pixels->get<int64_t>()),
                        "resize", side});
  }
}

// A value that would have no effect is refused, so that nobody takes it for one that has.
void check_effects(const pipeline::CheckView& view, const TrainParameters& parameters, pipeline::Problems& problems) {
  const auto given = [&](const std::string& name) {
    return std::find(view.given.begin(), view.given.end(), name) != view.given.end();
  };
  for (const auto& [name, strength] : parameters.strengths) {
    const auto& chosen = parameters.augment;
    if (!given("augmentation." + name) || std::find(chosen.begin(), chosen.end(), name) != chosen.end()) continue;
    problems.push_back(
        {"augmentation." + name,
         fmt::format("augmentation.{0} has no effect, as augment does not name \"{0}\": add it there, or "
                     "take this out",
                     name)});
  }
  const bool has_init = view.has("init");
  if (given("init_layers") && !has_init)
    problems.push_back(
        {"init_layers", "init_layers has no effect without the input init: add it to inputs, or take this out"});
  if (parameters.freeze != "none" && !has_init) {
    problems.push_back({"freeze",
                        "freeze would keep random weights, as there is no input init: add it to inputs, or take "
                        "this out"});
  }
  if (given("freeze_epochs") && parameters.freeze == "none")
    problems.push_back(
        {"freeze_epochs", "freeze_epochs has no effect with freeze = \"none\": take it out, or set freeze"});
  for (const char* part : {"plateau.monitor", "plateau.factor", "plateau.patience", "plateau.min_delta"}) {
    if (!given(part) || schedule_rule(parameters.schedule).on_plateaus) continue;
    problems.push_back(
        {part, fmt::format("{} has no effect with schedule = \"{}\": take it out, or set schedule to \"plateau\"", part,
                           parameters.schedule)});
  }
  if (given("separation.sigma") && parameters.separation_weight == 0)
    problems.push_back({"separation.sigma",
                        "separation.sigma has no effect with separation.weight = 0: take it out, or set the weight"});
  const auto learns = [&](const std::string& target) {
    const auto& targets = parameters.targets;
    return std::find(targets.begin(), targets.end(), target) != targets.end();
  };
  const auto needs_target = [&](const std::string& name, const std::string& target) {
    if (!given(name) || learns(target)) return;
    problems.push_back({name, fmt::format("{} has no effect, as targets does not name \"{}\": add it there, or take "
                                          "this out",
                                          name, target)});
  };
  needs_target("border_radius", "border");
  needs_target("interior_radius", "interior");
  needs_target("distance_limit", "distance");
  for (const TargetRule& rule : target_rules()) {
    needs_target("losses." + rule.name, rule.name);
    needs_target("loss_weights." + rule.name, rule.name);
  }
  for (const char* limit : {"percentiles.low", "percentiles.high"}) {
    if (parameters.normalise == "percentile" || parameters.normalise == chosen_by_data || !given(limit)) continue;
    problems.push_back(
        {limit, fmt::format("{} has no effect with normalise = \"{}\": take it out, or set normalise to \"percentile\"",
                            limit, parameters.normalise)});
  }
}

void check_metadata(const pipeline::CheckView& view, const TrainParameters& parameters, pipeline::Problems& problems) {
  if (view.has("metadata")) return;
  const auto needs = [&](const char* parameter, const std::string& value, const char* what) {
    problems.push_back({parameter, fmt::format("{} = \"{}\" needs the {}: add metadata = \"inspect.metadata\" to "
                                               "train's inputs",
                                               parameter, value, what)});
  };
  if (balance_rule(parameters.balance).by_look) needs("balance", parameters.balance, "visual types");
  if (parameters.normalise == chosen_by_data) needs("normalise", parameters.normalise, "depths and visual types");
}

void check_cache(const TrainParameters& parameters, pipeline::Problems& problems) {
  if (!parameters.cache_limit() || parameters.device != "cuda") return;
  problems.push_back({"cache_bytes",
                      "cache_bytes has no effect with device = \"cuda\", which keeps all samples in the device's "
                      "memory: take it out, or train on the CPU"});
}

void check_train(const pipeline::CheckView& view, pipeline::Problems& problems) {
  const auto parameters = train_parameters_of(view.values);
  check_input(view, parameters, problems);
  check_effects(view, parameters, problems);
  check_metadata(view, parameters, problems);
  check_cache(parameters, problems);
  if (parameters.deep_supervision >= parameters.depth) {
    problems.push_back({"deep_supervision",
                        fmt::format("a decoder of depth {} has {} below its first level, not {}", parameters.depth,
                                    pipeline::counted(parameters.depth - 1, "level"), parameters.deep_supervision)});
  }
  if (const std::string fault = fault_of_targets(parameters.targets); !fault.empty())
    problems.push_back({"targets", fault});
  if (norm_rule(parameters.norm).over_ranks && parameters.reproducible == "world") {
    problems.push_back({"reproducible",
                        "norm = \"sync\" works on each rank's whole share at once, so its last bits depend on the rank "
                        "count; \"run\" is what it can promise"});
  }
  if (norm_rule(parameters.norm).over_ranks && parameters.device == "cuda") {
    problems.push_back({"norm",
                        "norm = \"sync\" runs on the CPU only; \"group\", or \"batch\" with a larger micro_batch, "
                        "comes close to it"});
  }
  if (parameters.global_batch % parameters.micro_batch != 0) {
    problems.push_back(
        {"global_batch", fmt::format("global_batch must be a multiple of micro_batch ({}), is {}; the nearest are {}",
                                     parameters.micro_batch, parameters.global_batch,
                                     near_batches(parameters.global_batch, parameters.micro_batch))});
  }
}

}  // namespace

pipeline::StageKind train_kind() {
  pipeline::StageKind kind;
  kind.name = "train";
  kind.version = 3;  // without validation no epoch is the best; an epoch without a step has no figures
  kind.summary = "trains a U-Net on all ranks, resuming from its last checkpoint";
  kind.scope = pipeline::Scope::all_ranks;
  kind.inputs = {{.name = "shards", .help = "shard.shards"},
                 {.name = "split", .help = "split.index"},
                 {.name = "init",
                  .help = "a model to start from: a model folder, or a safetensors file with these names of tensors",
                  .optional = true},
                 {.name = "metadata",
                  .help = "inspect.metadata, for balance = \"look\" and normalise = \"auto\"",
                  .optional = true}};
  kind.outputs = {{.name = "model", .help = "weights.safetensors, model.json, architecture.json"},
                  {.name = "curves", .help = "curves.json: figures of each epoch"},
                  {.name = "telemetry", .help = "telemetry.json: times, rates, hosts", .is_volatile = true}};
  kind.parameters = pipeline::specifications_of<TrainParameters>();
  kind.check = check_train;
  kind.ends = [](const pipeline::Values& values) {
    std::vector<std::string> ends = {"early_stopping.monitor", "early_stopping.patience", "early_stopping.min_delta",
                                     "early_stopping.warm_up"};
    if (!schedule_rule(values.at("schedule").get<std::string>()).depends_on_end) ends.push_back("epochs");
    return ends;
  };
  kind.adopt = adoptable;
  kind.rehearsal = {{"epochs", rehearsed_epochs}};
  kind.layout = layout_of;
  for (const std::string& figure : monitored_figures()) kind.scores.push_back({figure, larger_is_better(figure)});
  kind.body = [] { return compute_body("train"); };
  return kind;
}

}  // namespace penstock::stages
