// Which crops a step takes, in which order, and the batch that is made of them: all of it a pure function of (seed,
// epoch, step, sample id), the same on every rank. Any thread may call.
#pragma once

#include <torch/types.h>

#include <span>
#include <string>
#include <vector>

#include "stages/compute/step/step_samples.h"
#include "stages/training/targets.h"

namespace penstock::stages {

// Indices of an epoch's crops in its order: sorted by H(seed, epoch, id, number). `ids` and `numbers`: of each crop the
// id of its sample and its number there; no numbers: each sample has one.
std::vector<int> epoch_order(const std::vector<std::string>& ids, int64_t seed, int64_t epoch,
                             const std::vector<int>& numbers = {});

// The crops of one micro-shard: places [step * global + shard * micro, + micro) of the epoch's order, cyclic.
std::vector<int> micro_shard(const std::vector<int>& order, int64_t step, int64_t shard, int64_t global_batch,
                             int64_t micro_batch);

// images [N,C,H,W] float32 and what the network should say of them, targets [N,K,H,W] float32 {0,1}, into storage that
// the caller keeps.
struct Batch {
  torch::Tensor images, targets;
  TargetList kinds;  // of the K channels
};
Batch make_batch(int64_t count, const InputShape& input, const TargetList& kinds = target_list({"mask"}));
// Row i of the batch becomes rows[i] of these samples. More rows than the batch holds fail a check. `looks`: at the
// sample of each row; or none, and each is looked at.
void fill_batch(Batch& batch, const StepSamples& data, std::span<const BatchRow> rows,
                std::span<const SampleLook> looks = {});

}  // namespace penstock::stages
