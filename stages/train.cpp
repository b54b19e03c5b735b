// train: a U-Net by data-parallel gradient descent on all ranks. The body is in compute/train_body.cpp.
#include "stages/train.h"

#include <fmt/format.h>

#include "distributed/gradient_reducer.h"
#include "stages/checkpoint_manifest.h"
#include "stages/compute_library.h"
#include "stages/kinds.h"
#include "stages/rehearsal.h"

namespace penstock::stages {
namespace {

const std::vector<std::string> figures = {"val_loss", "val_f1", "val_accuracy", "val_precision", "val_recall",
                                          "loss",     "f1",     "accuracy",     "precision",     "recall"};

// The multiples of micro_batch next to what was asked for.
std::string near_batches(int64_t global_batch, int64_t micro_batch) {
  const int64_t below = global_batch / micro_batch * micro_batch;
  return below == 0 ? fmt::format("{} and {}", micro_batch, 2 * micro_batch) : fmt::format("{} and {}", below, below + micro_batch);
}

}  // namespace

bool larger_is_better(const std::string& monitor) { return !monitor.ends_with("loss"); }

void TrainParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("base_channels", base_channels, {.help = "channels of the U-Net at full size; doubled at each level", .minimum = 1, .maximum = 512});
  visit("depth", depth, {.help = "how often the U-Net halves the image", .minimum = 1, .maximum = 7});
  visit("norm", norm, {.help = "normalisation after each convolution: batch (of one micro-batch), sync (batch norm over the whole global batch), group or none",
                       .choices = {"batch", "sync", "group", "none"}});
  visit("dropout", dropout, {.help = "share of channels' values dropped after each block in training", .minimum = 0, .maximum = 0.9});
  visit("normalise", normalise, {.help = "pixel values: unit (0..1), zscore (of the train subset), percentile (1st to 99th of each image)", .choices = {"unit", "zscore", "percentile"}});
  visit("optimizer", optimizer, {.help = "adamw (decay of the weights), adam (decay in the gradient) or sgd", .choices = {"adamw", "adam", "sgd"}, .as_before = "adamw"});
  visit("lr", lr, {.help = "learning rate", .minimum = 1e-8, .maximum = 10});
  visit("momentum", momentum, {.help = "of sgd", .minimum = 0, .maximum = 0.999, .as_before = 0.9});
  visit("schedule", schedule, {.help = "learning rate over the epochs: constant, or cosine down to 0", .choices = {"constant", "cosine"}});
  visit("weight_decay", weight_decay, {.help = "of the weights per step, times the learning rate (adamw), or added to the gradient (adam, sgd)", .minimum = 0, .maximum = 1});
  visit("clip_norm", clip_norm, {.help = "largest norm of the whole gradient; a larger one is scaled down to it; 0: never", .minimum = 0, .as_before = 0.0});
  visit("loss", loss, {.help = "binary cross-entropy, or its sum with 1 - soft Dice", .choices = {"bce", "bce_dice"}});
  visit("on_nan", on_nan, {.help = "when a step's loss or gradient is no number: stop, skip the step, or roll_back to the last checkpoint and pass the step over",
                           .choices = {"stop", "skip", "roll_back"}, .as_before = "stop"});
  visit("epochs", epochs, {.help = "passes over the train subset", .minimum = 1, .maximum = 100000});
  visit("global_batch", global_batch, {.help = "samples per step of the whole job, whatever the rank count", .minimum = 1, .maximum = 65536});
  visit("micro_batch", micro_batch, {.help = "samples that one worker processes at once; divides global_batch", .minimum = 1, .maximum = 1024});
  visit("seed", seed, {.help = "of weights, order and augmentation", .minimum = 0});
  visit("augment", augment, {.help = "random changes of each sample: flip, rot90 (square grids)", .choices = {"flip", "rot90"}});
  visit("monitor", monitor, {.help = "figure that decides the best epoch", .choices = figures});
  visit("mode", mode, {.help = "whether a smaller or larger figure is better; auto knows", .choices = {"auto", "min", "max"}});
  visit("every", every, {.help = "epochs between comparisons for the best epoch", .minimum = 1});
  visit("final", final_weights, {.help = "weights that are published: of the best or the last epoch", .choices = {"best", "last"}});
  visit("early_stopping.monitor", stop_monitor, {.help = "figure that early stopping watches", .choices = figures});
  visit("early_stopping.patience", stop_patience, {.help = "epochs without improvement before stopping; 0: never stop early", .minimum = 0});
  visit("early_stopping.min_delta", stop_min_delta, {.help = "smallest change that counts as improvement", .minimum = 0});
  visit("early_stopping.warm_up", stop_warm_up, {.help = "epochs before patience begins to count", .minimum = 0});
  visit("checkpoint_seconds", checkpoint_seconds, {.help = "seconds between checkpoints; auto: so that saving costs under one percent", .minimum = 0, .choices = {"auto"}, .affects_output = false});
  visit("keep", keep, {.help = "checkpoints that are kept", .minimum = 2, .maximum = 1000, .affects_output = false});
  visit("reproducible", reproducible,
        {.help = "run: same bits for the same ranks; world: same bits for any rank count; auto: world", .choices = {"auto", "run", "world"},
         .affects_output = false});
  visit("overlap", overlap, {.help = "reduce gradients while backward goes on: on, off; auto: on where ranks have a core to spare", .choices = {"auto", "on", "off"},
                             .affects_output = false});
}

pipeline::StageKind train_kind() {
  pipeline::StageKind kind;
  kind.name = "train";
  kind.summary = "trains a U-Net on all ranks, resuming from its last checkpoint";
  kind.scope = pipeline::Scope::all_ranks;
  kind.inputs = {{.name = "shards", .help = "shard.shards"},
                 {.name = "split", .help = "split.index"},
                 {.name = "init", .help = "a model of the same architecture to start from", .optional = true}};
  kind.outputs = {{.name = "model", .help = "weights.safetensors, model.json, architecture.json"},
                  {.name = "curves", .help = "curves.json: figures of each epoch"},
                  {.name = "telemetry", .help = "telemetry.json: times, rates, hosts", .is_volatile = true}};
  kind.parameters = pipeline::specifications_of<TrainParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    const auto parameters = pipeline::read_parameters<TrainParameters>(view.values);
    const int64_t factor = int64_t{1} << parameters.depth;
    for (const char* side : {"width", "height"}) {
      const auto pixels = view.upstream("resize", side);
      if (!pixels || pixels->get<int64_t>() % factor == 0) continue;
      problems.push_back({"depth", fmt::format("depth {} halves the image {} times, so its {} must be a multiple of {}, is {}", parameters.depth,
                                               parameters.depth, side, factor, pixels->get<int64_t>()),
                          "resize", side});
    }
    if (parameters.norm == "sync" && parameters.reproducible == "world") {
      problems.push_back({"reproducible", "norm = \"sync\" works on each rank's whole share at once, so its last bits hang on the rank count; \"run\" is what it can promise"});
    }
    if (parameters.global_batch % parameters.micro_batch != 0) {
      problems.push_back({"global_batch", fmt::format("global_batch must be a multiple of micro_batch ({}), is {}; the nearest are {}", parameters.micro_batch,
                                                        parameters.global_batch, near_batches(parameters.global_batch, parameters.micro_batch))});
    }
  };
  // A cosine's every step depends on where it ends.
  kind.ends = [](const pipeline::Values& values) {
    std::vector<std::string> ends = {"early_stopping.monitor", "early_stopping.patience", "early_stopping.min_delta", "early_stopping.warm_up"};
    if (values.at("schedule") == "constant") ends.push_back("epochs");
    return ends;
  };
  kind.adopt = [](const pipeline::Values& values, const std::vector<std::filesystem::path>& relatives) {
    pipeline::Adoption adoption;
    const auto found = adoptable_checkpoints(pipeline::read_parameters<TrainParameters>(values), relatives, &adoption.refusal);
    if (found.empty()) return adoption;
    const CheckpointManifest& furthest = found.front().manifest;
    adoption.from = fmt::format("epoch {}{} of a run that differs only in when it ends", furthest.epoch, furthest.step_in_epoch > 0 ? fmt::format(" and {} steps", furthest.step_in_epoch) : "");
    return adoption;
  };
  kind.rehearsal = {{"epochs", rehearsed_epochs}};
  kind.layout = [](const pipeline::Values& values, int ranks) {
    const auto parameters = pipeline::read_parameters<TrainParameters>(values);
    std::string shares;
    int idle = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto [first, last] = distributed::micro_shards_of(rank, ranks, static_cast<int>(parameters.micro_shards()));
      idle += first == last;
      if (rank < 8) shares += fmt::format("{}{}", rank == 0 ? "" : "+", last - first);
    }
    return fmt::format("{} micro-shards of {} a step: {}{}{}", parameters.micro_shards(), parameters.micro_batch, shares, ranks > 8 ? "+..." : "",
                       idle == 0 ? "" : fmt::format("; {} rank{} train nothing (a larger global_batch or smaller micro_batch uses them)", idle, idle == 1 ? "" : "s"));
  };
  for (const std::string& figure : figures) kind.scores.push_back({figure, larger_is_better(figure)});
  kind.body = [] { return compute_body("train"); };
  return kind;
}

}  // namespace penstock::stages
