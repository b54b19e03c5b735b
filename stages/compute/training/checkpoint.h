// Training state on disk: written whole, verified before use, the last few kept. One process writes a folder; any may
// read it.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "pipeline/value.h"
#include "stages/training/checkpoint_manifest.h"

namespace penstock::stages {

struct Checkpoint {
  pipeline::Value state;  // curves, sums, times: whatever is not a large array
  std::vector<float> parameters, statistics, first_moment, second_moment;
  std::vector<float> best_parameters, best_statistics;  // empty before the first best epoch
  // With train.ema; else empty, and then the file has none.
  std::vector<float> averaged_parameters, averaged_statistics;
};

// One process at a time writes below `folder`.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path folder, size_t kept = 2) : folder_(std::move(folder)), kept_(kept) {}

  // Writes checkpoint-<step>-<digest>.safetensors, then its manifest with the digests, then removes all but the last
  // few and what killed writers left. Whenever it ends, an earlier checkpoint or this one is whole. Throws Error(io)
  // when this one could not be written. Returns the bytes written.
  uint64_t save(const Checkpoint& checkpoint, CheckpointManifest manifest) const;

 private:
  void remove_others(int64_t newest) const;

  std::filesystem::path folder_;
  size_t kept_;
};

// Of the weights, and of the averaged ones where there are any.
pipeline::Digest digest_of_weights(const std::vector<float>& parameters, const std::vector<float>& statistics,
                                   const std::vector<float>& averaged_parameters = {},
                                   const std::vector<float>& averaged_statistics = {});

// The checkpoint that a manifest describes; nullopt, with a warning, when its file is missing or has another digest.
std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& folder, const CheckpointManifest& manifest);

}  // namespace penstock::stages
