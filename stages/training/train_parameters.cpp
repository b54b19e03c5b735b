#include "stages/training/train_parameters.h"

#include "stages/training/architecture_limits.h"
#include "stages/training/augmentations.h"
#include "stages/training/balances.h"
#include "stages/training/losses.h"
#include "stages/training/name_table.h"
#include "stages/training/normalisations.h"
#include "stages/training/norms.h"
#include "stages/training/optimisers.h"
#include "stages/training/precisions.h"
#include "stages/training/schedules.h"
#include "stages/training/targets.h"
#include "stages/training/upsamplings.h"

namespace penstock::stages {

const std::vector<std::string>& monitored_figures() {
  static const std::vector<std::string> figures = {"val_loss", "val_f1", "val_accuracy", "val_precision", "val_recall",
                                                   "loss",     "f1",     "accuracy",     "precision",     "recall"};
  return figures;
}

int64_t usual_micro_batch(int64_t global_batch) {
  int64_t micro = 4;
  while (global_batch % micro != 0) --micro;
  return micro;
}

bool larger_is_better(const std::string& monitor) { return !monitor.ends_with("loss"); }

TrainParameters train_parameters_of(const pipeline::Values& values) {
  auto parameters = pipeline::read_parameters<TrainParameters>(values);
  parameters.resolve();
  return parameters;
}

Architecture architecture_of(const TrainParameters& parameters, int64_t channels) {
  Architecture architecture{channels, parameters.base_channels, parameters.depth, parameters.norm, parameters.dropout};
  architecture.kind = parameters.network;
  architecture.upsampling = parameters.upsampling;
  architecture.side_outputs = parameters.deep_supervision;
  architecture.out_channels = static_cast<int64_t>(parameters.targets.size());
  return architecture;
}

void TrainParameters::resolve() {
  const int64_t* given = std::get_if<int64_t>(&given_micro_batch);
  micro_batch = given != nullptr ? *given : usual_micro_batch(global_batch);
  if (const int64_t* side = std::get_if<int64_t>(&given_crop)) crop = *side;
}

std::string TrainParameters::given_for_crops() const {
  return std::holds_alternative<int64_t>(given_crop) ? "crop" : foreground > 0 ? "foreground" : "";
}

std::optional<int64_t> TrainParameters::cache_limit() const {
  const int64_t* given = std::get_if<int64_t>(&cache_bytes);
  return given != nullptr ? std::optional(*given) : std::nullopt;
}

namespace {

// What an epoch takes of each sample.
void describe_crops(TrainParameters& train, pipeline::ParameterVisitor& visit) {
  visit("crop", train.given_crop,
        {.help = "side of the square crops that samples of their own size (resize.mode = \"native\" or \"fit\") are "
                 "trained on, pixels; a multiple of 2^depth; auto: 256",
         .minimum = 16,
         .maximum = 4096,
         .choices = {"auto"},
         .as_before = "auto"});
  visit("foreground", train.foreground,
        {.help = "share of the crops that are centred on a labelled pixel, each as likely; the others lie anywhere, so "
                 "that each pixel is as likely to be seen",
         .minimum = 0,
         .maximum = 1,
         .as_before = 0.0});
  visit("balance", train.balance,
        {.help = "how often an epoch takes each sample: " + help_of(balance_rules()),
         .choices = names_of(balance_rules()),
         .as_before = "none"});
}

}  // namespace

void TrainParameters::describe(pipeline::ParameterVisitor& visit) {
  describe_network(visit);
  describe_start(visit);
  describe_targets(visit);
  describe_optimisation(visit);
  describe_crops(*this, visit);
  describe_augmentation(visit);
  describe_rules(visit);
  describe_run(visit);
}

void TrainParameters::describe_network(pipeline::ParameterVisitor& visit) {
  visit("network", network,
        {.help = "one of " + help_of(network_rules()), .choices = names_of(network_rules()), .as_before = "unet"});
  visit("base_channels", base_channels,
        {.help = "channels of the U-Net at full size; doubled at each level",
         .minimum = 1,
         .maximum = most_base_channels});
  visit("depth", depth, {.help = "how often the U-Net halves the image", .minimum = 1, .maximum = most_depth});
  visit("norm", norm,
        {.help = "normalisation after each convolution: " + help_of(norm_rules()), .choices = names_of(norm_rules())});
  visit("upsampling", upsampling,
        {.help = "how the decoder comes up a level: " + help_of(upsampling_rules()),
         .choices = names_of(upsampling_rules()),
         .as_before = "transposed"});
  visit("deep_supervision", deep_supervision,
        {.help = "how many levels of the decoder below the first (columns before the last of unet++) have outputs that "
                 "training learns too, each with half the weight of the one before it; fewer than depth; 0: none",
         .minimum = 0,
         .maximum = 6,
         .as_before = 0});
  visit("dropout", dropout,
        {.help = "share of channels' values dropped after each block in training", .minimum = 0, .maximum = 0.9});
  visit("normalise", normalise,
        {.help = "scale of pixel values: " + help_of_normalise(), .choices = normalise_choices()});
  visit(
      "percentiles.low", percentile_low,
      {.help = "of normalise = \"percentile\": this share of a sample's values, %, lies below what becomes 0; they are "
               "taken of the values that resize.contrast left",
       .minimum = 0,
       .maximum = 49,
       .as_before = 1.0});
  visit("percentiles.high", percentile_high,
        {.help = "likewise: this share, %, lies below what becomes 1; values beyond are cut",
         .minimum = 51,
         .maximum = 100,
         .as_before = 99.0});
}

void TrainParameters::describe_start(pipeline::ParameterVisitor& visit) {
  visit(
      "init_layers", init_layers,
      {.help = "which weights the input init gives: all (it must have every tensor of this network, in its shape), "
               "matching (those of the same name and shape), encoder (likewise, but only the way down and the bottom); "
               "the others start from the seed",
       .choices = {"all", "matching", "encoder"},
       .as_before = "all"});
  visit("freeze", freeze,
        {.help = "weights that training leaves as they are: none, or those of the encoder (of a norm its weights too, "
                 "but not its running statistics); steps take as long",
         .choices = {"none", "encoder"},
         .as_before = "none"});
  visit("freeze_epochs", freeze_epochs,
        {.help = "epochs for which freeze holds, from the first; 0: all", .minimum = 0, .as_before = 0});
  visit(
      "encoder_lr", encoder_lr,
      {.help = "learning rate of the encoder, as a share of lr: 0.1 where it comes from another model and is to change "
               "little",
       .minimum = 1e-6,
       .maximum = 10,
       .as_before = 1.0});
}

void TrainParameters::describe_targets(pipeline::ParameterVisitor& visit) {
  visit("targets", targets,
        {.help = "what the network learns of each pixel, an output channel each, \"mask\" first: " +
                 help_of(target_rules()) + "; the loss is summed over them",
         .choices = names_of(target_rules()),
         .as_before = pipeline::Value({"mask"})});
  visit("border_radius", border_radius,
        {.help = "of the target \"border\", pixels: a larger one is a wider border, which is easier to learn and holds "
                 "more of small objects",
         .minimum = 1,
         .maximum = 16,
         .as_before = 1});
  visit("interior_radius", interior_radius,
        {.help = "of the target \"interior\", pixels: objects of at most twice as many pixels across have no interior",
         .minimum = 1,
         .maximum = 16,
         .as_before = 2});
  visit("distance_limit", distance_limit,
        {.help = "of the target \"distance\", pixels: larger distances are learned as this one",
         .minimum = 2,
         .maximum = 32,
         .as_before = 8});
  visit(
      "separation.weight", separation_weight,
      {.help = "w of the U-Net paper's border weights, 10 there: a pixel counts 1 + w exp(-(d1 + d2)^2 / (2 sigma^2)) "
               "times in the cross-entropy of every target, d1 and d2 its distances from the nearest two objects, so "
               "that gaps between them are learned; a loss without cross-entropy is joined by it there; 0: none",
       .minimum = 0,
       .maximum = 1000,
       .as_before = 0.0});
  visit("separation.sigma", separation_sigma,
        {.help = "of these weights, pixels; they end where d1 + d2 is 3 sigma",
         .minimum = 1,
         .maximum = 16,
         .as_before = 5});
  std::vector<std::string> losses = {"auto"};
  for (const std::string& name : names_of(loss_rules())) losses.push_back(name);
  for (const TargetRule& rule : target_rules()) {
    visit("losses." + rule.name, target_losses[rule.name],
          {.help = "loss of the target " + rule.name + "; auto: " + (rule.loss.empty() ? "as loss says" : rule.loss),
           .choices = losses,
           .as_before = "auto"});
    visit("loss_weights." + rule.name, loss_weights[rule.name],
          {.help = "what the loss of the target " + rule.name + " is multiplied with in the sum over targets",
           .minimum = 0,
           .maximum = 1000,
           .as_before = 1.0});
  }
}

void TrainParameters::describe_optimisation(pipeline::ParameterVisitor& visit) {
  visit("optimizer", optimizer,
        {.help = "one of " + help_of(optimiser_rules()), .choices = names_of(optimiser_rules()), .as_before = "adamw"});
  visit("lr", lr, {.help = "learning rate", .minimum = 1e-8, .maximum = 10});
  visit("momentum", momentum, {.help = "of sgd", .minimum = 0, .maximum = 0.999, .as_before = 0.9});
  visit("schedule", schedule,
        {.help = "learning rate over the epochs: " + help_of(schedule_rules()), .choices = names_of(schedule_rules())});
  visit("plateau.monitor", plateau_monitor,
        {.help = "of schedule = \"plateau\": the figure that it watches",
         .choices = monitored_figures(),
         .as_before = "val_loss"});
  visit("plateau.factor", plateau_factor,
        {.help = "likewise: what the learning rate is multiplied with at a plateau",
         .minimum = 0.01,
         .maximum = 0.99,
         .as_before = 0.1});
  visit("plateau.patience", plateau_patience,
        {.help = "likewise: epochs without improvement that are a plateau", .minimum = 1, .as_before = 10});
  visit("plateau.min_delta", plateau_min_delta,
        {.help = "likewise: smallest change that counts as improvement", .minimum = 0, .as_before = 0.0});
  visit("warm_up", warm_up,
        {.help = "epochs, or parts of one, over which the learning rate grows from 0 to what the schedule says",
         .minimum = 0,
         .maximum = 1000,
         .as_before = 0.0});
  visit("weight_decay", weight_decay,
        {.help = "of the weights per step, times the learning rate (adamw), or added to the gradient (adam, sgd)",
         .minimum = 0,
         .maximum = 1});
  visit("clip_norm", clip_norm,
        {.help = "largest norm of the whole gradient; a larger one is scaled down to it; 0: never",
         .minimum = 0,
         .as_before = 0.0});
  visit("ema", ema,
        {.help = "decay of a running average of the weights, which then is what validation measures and what is "
                 "published: 0.99 or 0.999; smaller at the start; 0: no average",
         .minimum = 0,
         .maximum = 0.9999,
         .as_before = 0.0});
  visit("loss", loss, {.help = "one of " + help_of(loss_rules()), .choices = names_of(loss_rules())});
  visit("on_nan", on_nan,
        {.help = "when a step's loss or gradient is NaN or infinite: stop, skip the step, or roll_back to the last "
                 "checkpoint and leave the step out",
         .choices = {"stop", "skip", "roll_back"},
         .as_before = "stop"});
  visit("epochs", epochs, {.help = "passes over the train subset", .minimum = 1, .maximum = 100000});
  visit("global_batch", global_batch,
        {.help = "samples per step of the whole job, whatever the rank count", .minimum = 1, .maximum = 65536});
  visit("micro_batch", given_micro_batch,
        {.help = "samples that one worker processes at once; divides global_batch; auto: the largest up to 4, on a GPU "
                 "the largest that fits, fixed at a run's first attempt",
         .minimum = 1,
         .maximum = 1024,
         .choices = {"auto"}});
  visit("precision", precision,
        {.help = "of the network's arithmetic: " + help_of(precision_rules()),
         .choices = names_of(precision_rules()),
         .as_before = "fp32"});
  visit("seed", seed, {.help = "of weights, order and augmentation", .minimum = 0});
}

void TrainParameters::describe_augmentation(pipeline::ParameterVisitor& visit) {
  visit("augment", augment,
        {.help = "random changes of each sample: " + help_of(augmentation_rules()),
         .choices = names_of(augmentation_rules())});
  for (const AugmentationRule& rule : augmentation_rules()) {
    if (rule.strength.empty()) continue;
    visit("augmentation." + rule.name, strengths[rule.name],
          {.help = "strength s of " + rule.name + " in augment: " + rule.strength,
           .minimum = 0,
           .maximum = rule.most,
           .as_before = rule.usual});
  }
}

void TrainParameters::describe_rules(pipeline::ParameterVisitor& visit) {
  visit("monitor", monitor, {.help = "figure that decides the best epoch", .choices = monitored_figures()});
  visit(
      "mode", mode,
      {.help = "whether a smaller or larger figure is better; auto: by the figure", .choices = {"auto", "min", "max"}});
  visit("every", every, {.help = "epochs between comparisons for the best epoch", .minimum = 1});
  visit("final", final_weights,
        {.help = "weights that are published: of the best or the last epoch", .choices = {"best", "last"}});
  visit("early_stopping.monitor", stop_monitor,
        {.help = "figure that early stopping watches", .choices = monitored_figures()});
  visit("early_stopping.patience", stop_patience,
        {.help = "epochs without improvement before stopping; 0: never stop early", .minimum = 0});
  visit("early_stopping.min_delta", stop_min_delta,
        {.help = "smallest change that counts as improvement", .minimum = 0});
  visit("early_stopping.warm_up", stop_warm_up, {.help = "epochs before patience begins to count", .minimum = 0});
}

void TrainParameters::describe_run(pipeline::ParameterVisitor& visit) {
  visit("checkpoint_seconds", checkpoint_seconds,
        {.help =
             "seconds between checkpoints; auto: from the measured cost, so that saving takes 0.6 % of the time, up to "
             "twice that while each epoch is the best so far",
         .minimum = 0,
         .choices = {"auto"},
         .affects_output = false});
  visit("keep", keep, {.help = "checkpoints that are kept", .minimum = 2, .maximum = 1000, .affects_output = false});
  visit("reproducible", reproducible,
        {.help =
             "run: same bits for the same ranks; world: same bits for any rank count; auto: world on the CPU where the "
             "norm allows it, else run",
         .choices = {"auto", "run", "world"},
         .affects_output = false});
  visit("overlap", overlap,
        {.help = "reduce gradients while backward continues: on, off; auto: the faster of the two, by the median of 5 "
                 "steps each at the start",
         .choices = {"auto", "on", "off"},
         .affects_output = false});
  visit("device", device,
        {.help = "where to train: cpu, cuda (one GPU a rank); auto: cuda where every rank has a GPU",
         .choices = {"auto", "cpu", "cuda"},
         .affects_output = false});
  visit("graph", graph,
        {.help = "on a GPU, record the step once and replay it: auto, or off (the same bits, slower); never with "
                 "reproducible = \"world\"",
         .choices = {"auto", "off"},
         .affects_output = false});
  visit(
      "cache_bytes", cache_bytes,
      {.help = "memory of each rank for samples, bytes: others are read from the shards ahead of time, in the order in "
               "which they are needed; all: every rank keeps every sample, as a GPU always does",
       .minimum = 1,
       .choices = {"all"},
       .affects_output = false});
}

}  // namespace penstock::stages
