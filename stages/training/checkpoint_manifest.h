// The manifest beside each checkpoint in a progress folder, so that checkpoints can be judged without reading weights.
// Any process may read; the trainer's rank 0 writes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/stage.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// checkpoint-<step>.json beside checkpoint-<step>-<digest>.safetensors: when a step is saved again, the file that the
// manifest means stays until the manifest means the new one. The manifest also holds a digest of itself: who reads one
// reads what was written, or none.
struct CheckpointManifest {
  int64_t step = 0;                                   // finished in all, skipped ones too
  int64_t epoch = 0;                                  // finished
  int64_t step_in_epoch = 0;                          // finished, of the next
  int64_t best_epoch = 0;                             // whose weights it carries as the best; 0: none
  pipeline::Value epochs = pipeline::Value::array();  // a row a finished epoch
  pipeline::Digest digest;                            // of the file
  pipeline::Digest weights;                           // of parameters and running statistics, and of the averaged ones

  std::string to_text() const;
};

std::filesystem::path checkpoint_file(const std::filesystem::path& folder, const CheckpointManifest& manifest);
std::filesystem::path manifest_file(const std::filesystem::path& folder, int64_t step);
bool is_of_checkpoint(const std::filesystem::path& file);  // one of these two, or one that was to become it

// Those that are whole, newest first; the files of the others go to `damaged`.
std::vector<CheckpointManifest> read_manifests(const std::filesystem::path& folder,
                                               std::vector<std::filesystem::path>* damaged = nullptr);

// A checkpoint of a run that differs in nothing but when it ends.
struct Adoptable {
  std::filesystem::path folder;
  CheckpointManifest manifest;
};
// Those that a run with these parameters would have passed through itself, the furthest first: at or before its own
// end, before any stop its own rules would have made, with the best epoch that its own rules would have chosen.
// `refusal` becomes the reason why the furthest of the others is not one.
std::vector<Adoptable> adoptable_checkpoints(const TrainParameters& parameters,
                                             const std::vector<std::filesystem::path>& relatives, std::string* refusal);

}  // namespace penstock::stages
