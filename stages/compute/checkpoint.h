// Training state on disk: written whole, verified before use, the last two kept.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

struct Checkpoint {
  pipeline::Value state;  // step, epoch, curves, callbacks: whatever is no large array
  std::vector<float> parameters, statistics, adam_mean, adam_square;
  std::vector<float> best_parameters, best_statistics;  // empty before the first best epoch
};

// One process at a time writes below `folder`.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Writes checkpoint-<step>.safetensors, then checkpoint-<step>.json with its digest, then removes all but the last two.
  // Returns the bytes written.
  uint64_t save(const Checkpoint& checkpoint, int64_t step) const;

  // The newest whose file has the digest that its manifest names; a damaged one is passed over with a warning.
  std::optional<Checkpoint> load_newest() const;

 private:
  std::vector<int64_t> steps() const;  // newest first

  std::filesystem::path folder_;
};

}  // namespace penstock::stages
