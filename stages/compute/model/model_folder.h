// A trained model on disk: weights.safetensors with PyTorch state-dict names, model.json, architecture.json
// (FORMATS.md). An ensemble has several files of weights, its members, of one architecture; what they say is averaged.
// Any thread may call; one process writes a folder.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "stages/compute/model/flat_layout.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/scores/decoders.h"
#include "stages/resize_modes.h"

namespace penstock::stages {

struct ModelDescription {
  Architecture architecture;
  int width = 0, height = 0;  // of the network's input: the grid, or a crop; channels are the architecture's
  Normaliser normaliser;
  double threshold = 0.5;
  std::string threshold_rule = "default";
  InstanceRules instances;
  std::vector<std::string> targets = {"mask"};  // of the output channels (training/targets.h)
  std::string turns = "none";                   // in which ways each tile is looked at (training/turns.h)
  int64_t tile = 0;                             // sides of a tile at most, pixels (eval.tile); 0: width x height
  int64_t micro_batch = 0;                      // that micro_batch = "auto" chose in training; 0: it was given
  // How a picture becomes a sample (of a grid, width x height), and a sample the network's input.
  SampleRule rule;
  double overlap = 0.25;  // of neighbouring tiles, share of a tile, where a sample is larger than the input
  std::vector<std::string> members = {"weights.safetensors"};  // files of the folder; several of an ensemble
  double averaged = 0;  // the weights are an average of those of training, with this decay (train.ema); 0: they are not
};

struct Weights {
  std::vector<float> parameters;  // in the order of FlatLayout
  std::vector<float> statistics;
};

// Returns the digest of the weights file.
std::string write_model(const std::filesystem::path& folder, const ModelDescription& model, const FlatLayout& layout,
                        const Weights& weights);

// Throws Error(data) naming what is missing or damaged: a file, a number, a digest, a tensor's shape.
ModelDescription read_model_description(const std::filesystem::path& folder);
// Each file of weights is there, and long enough for the architecture: before a network of that size is made. Throws as
// above; read_weights compares the digests.
void require_weights(const std::filesystem::path& folder, const ModelDescription& model);
// Of one member; `file` is an element of ModelDescription::members.
Weights read_weights(const std::filesystem::path& folder, const FlatLayout& layout,
                     const std::string& file = "weights.safetensors");
// The one file of weights, whose digest model.json confirms. Throws Error(data) for an ensemble too.
std::filesystem::path weights_file_of(const std::filesystem::path& folder);

// The members of all these models in one folder, with a threshold and rules of objects yet to be chosen. Throws
// Error(data) naming two models that differ in architecture, outputs or preprocessing, and in what.
void write_ensemble(std::span<const std::filesystem::path> models, const std::filesystem::path& to);

// The same weights under another threshold and other rules.
void rewrite_model(const std::filesystem::path& from, const std::filesystem::path& to, const ModelDescription& model);

}  // namespace penstock::stages
