// Checkpoints as a training of a small U-Net makes them, each step's with other numbers.
#pragma once

#include "distributed/local_communicator.h"
#include "stages/compute/model/flat_layout.h"
#include "stages/compute/training/training_checkpoints.h"
#include "stages/draws.h"

namespace penstock::stages {

// `variant`: another one of the same step.
inline Checkpoint checkpoint_of(int64_t step, int64_t variant = 0) {
  static const FlatLayout layout = layout_of(*make_network({3, 4, 2, "batch", 0}));
  Checkpoint checkpoint;
  checkpoint.state = {{"sums", std::vector<double>(6, 0.1 * static_cast<double>(step))},
                      {"updates", step},
                      {"resumed_at", {variant}},
                      {"epoch_times", pipeline::Value::array()}};
  const auto fill = [&](std::vector<float>& values, int64_t count, const char* what) {
    const Draws draws(step, what, {variant});
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(draws.uniform(static_cast<uint64_t>(i))));
  };
  fill(checkpoint.parameters, layout.parameter_count, "parameters");
  fill(checkpoint.statistics, layout.statistic_count, "statistics");
  fill(checkpoint.first_moment, layout.parameter_count, "first moment");
  fill(checkpoint.second_moment, layout.parameter_count, "second moment");
  fill(checkpoint.best_parameters, layout.parameter_count, "best parameters");
  fill(checkpoint.best_statistics, layout.statistic_count, "best statistics");
  return checkpoint;
}

// At the middle of the second epoch of ten steps, or further.
inline CheckpointManifest manifest_of(int64_t step) {
  CheckpointManifest manifest{step, step / 10, step % 10, 1, pipeline::Value::array(), {}, {}};
  for (int64_t epoch = 1; epoch <= manifest.epoch; ++epoch) {
    const double loss = 1.0 / static_cast<double>(epoch + 2);
    manifest.epochs.push_back(
        {{"epoch", epoch}, {"lr", 1e-3}, {"train", {{"loss", loss}, {"f1", 1 - loss}}}, {"validation", nullptr}});
  }
  return manifest;
}

inline bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.state == b.state && a.parameters == b.parameters && a.statistics == b.statistics &&
         a.first_moment == b.first_moment && a.second_moment == b.second_moment &&
         a.best_parameters == b.best_parameters && a.best_statistics == b.best_statistics;
}

inline bool same(const CheckpointManifest& a, const CheckpointManifest& b) {
  return a.step == b.step && a.epoch == b.epoch && a.step_in_epoch == b.step_in_epoch && a.best_epoch == b.best_epoch &&
         a.epochs == b.epochs;
}

// The checkpoint that a training would resume from.
inline std::optional<FoundCheckpoint> find_in(const std::filesystem::path& folder) {
  const auto alone = distributed::local_world(1);
  return find_checkpoint(*alone[0], folder, {}, TrainParameters());
}

}  // namespace penstock::stages
