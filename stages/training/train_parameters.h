// The parameters of train: declared here once, for the stage's declaration, its body, `plan --world` and the benchmark.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/parameters.h"
#include "stages/training/architecture.h"
#include "stages/training/augmentations.h"
#include "stages/training/targets.h"

namespace penstock::stages {

struct TrainParameters {
  // The network.
  std::string network = "unet";
  int64_t base_channels = 16;
  int64_t depth = 4;
  std::string norm = "batch";
  std::string upsampling = "transposed";
  int64_t deep_supervision = 0;  // side outputs
  double dropout = 0;
  std::string normalise = "unit";
  double percentile_low = 1, percentile_high = 99;
  std::vector<std::string> targets = {"mask"};
  int64_t border_radius = 1, interior_radius = 2, distance_limit = 8;  // pixels
  // What it starts from, and what of it stays.
  std::string init_layers = "all";
  std::string freeze = "none";
  int64_t freeze_epochs = 0;  // 0: all
  double encoder_lr = 1;      // share of lr
  // Optimisation.
  double lr = 1e-3;
  std::string schedule = "constant";
  std::string plateau_monitor = "val_loss";
  double plateau_factor = 0.1;
  int64_t plateau_patience = 10;
  double plateau_min_delta = 0;
  double warm_up = 0;  // epochs
  std::string optimizer = "adamw";
  double momentum = 0.9;
  double weight_decay = 0;
  double clip_norm = 0;
  double ema = 0;  // decay of the averaged weights; 0: none are kept
  std::string on_nan = "stop";
  std::string loss = "bce";
  std::map<std::string, std::string> target_losses = for_each_target<std::string>("auto");  // train.losses.TARGET
  double separation_weight = 0;
  int64_t separation_sigma = 5;
  std::map<std::string, double> loss_weights = for_each_target(1.0);  // train.loss_weights.TARGET
  int64_t epochs = 30;
  int64_t global_batch = 16;
  pipeline::IntegerOrWord given_micro_batch = int64_t{4};  // the parameter as it stands in the configuration
  int64_t micro_batch = 4;                                 // the value in use: resolve()
  std::string precision = "fp32";
  int64_t seed = 0;
  std::vector<std::string> augment = {"flip", "rot90"};
  Strengths strengths = usual_strengths();      // train.augmentation.NAME
  pipeline::IntegerOrWord given_crop = "auto";  // as it stands in the configuration
  int64_t crop = 256;                           // the value in use: resolve()
  double foreground = 0;
  std::string balance = "none";
  // What is kept.
  std::string monitor = "val_loss";
  std::string mode = "auto";
  int64_t every = 1;
  std::string final_weights = "best";
  std::string stop_monitor = "val_loss";
  int64_t stop_patience = 0;
  double stop_min_delta = 0;
  int64_t stop_warm_up = 0;
  // How it runs; in no key.
  pipeline::NumberOrWord checkpoint_seconds = "auto";
  int64_t keep = 2;
  std::string reproducible = "auto";
  std::string overlap = "auto";
  std::string device = "auto";
  std::string graph = "auto";
  pipeline::IntegerOrWord cache_bytes = "all";

  void describe(pipeline::ParameterVisitor& visit);
  // Sets micro_batch and crop from what was given; micro_batch = "auto" becomes the CPU's value, which a GPU's training
  // may then replace.
  void resolve();
  bool chooses_micro_batch() const { return std::holds_alternative<std::string>(given_micro_batch); }  // "auto"
  // Of train.crop and train.foreground, which only samples of their own size have; empty: neither is given.
  std::string given_for_crops() const;
  // Of train.cache_bytes; none: all samples stay in memory.
  std::optional<int64_t> cache_limit() const;
  int64_t micro_shards() const { return global_batch / micro_batch; }

 private:
  void describe_network(pipeline::ParameterVisitor& visit);
  void describe_start(pipeline::ParameterVisitor& visit);
  void describe_targets(pipeline::ParameterVisitor& visit);
  void describe_optimisation(pipeline::ParameterVisitor& visit);
  void describe_augmentation(pipeline::ParameterVisitor& visit);
  void describe_rules(pipeline::ParameterVisitor& visit);
  void describe_run(pipeline::ParameterVisitor& visit);
};

// Reads and resolves. Every reader of a configuration's values calls this one.
TrainParameters train_parameters_of(const pipeline::Values& values);

// The network that these parameters describe, for images of so many channels.
Architecture architecture_of(const TrainParameters& parameters, int64_t channels);

// micro_batch = "auto" without a GPU: the largest up to 4 that divides the global batch.
int64_t usual_micro_batch(int64_t global_batch);

// The figures that "monitor" may name.
const std::vector<std::string>& monitored_figures();

// True when a larger value of this figure ("val_f1") is better.
bool larger_is_better(const std::string& monitor);

}  // namespace penstock::stages
