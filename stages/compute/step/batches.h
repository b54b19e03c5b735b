// Which samples a step takes, in which order and with which random changes: all of it a pure function of (seed, epoch,
// step, sample id), the same on every rank. Any thread may call.
#pragma once

#include <torch/torch.h>

#include <span>
#include <string>
#include <vector>

#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/normaliser.h"
#include "stages/training/augmentations.h"

namespace penstock::stages {

// Indices of `ids` in the order of one epoch: sorted by H(seed, epoch, id).
std::vector<int> epoch_order(const std::vector<std::string>& ids, int64_t seed, int64_t epoch);

// The samples of one micro-shard: places [step * global + shard * micro, + micro) of the epoch's order, cyclic.
std::vector<int> micro_shard(const std::vector<int>& order, int64_t step, int64_t shard, int64_t global_batch,
                             int64_t micro_batch);

// Element (y, x) of the changed sample is element (source_y, source_x) of the original.
struct Orientation {
  bool flip_x = false, flip_y = false, transpose = false;
};
uint8_t to_byte(const Orientation& orientation);  // device_arithmetic.h
Orientation draw_orientation(const Augmentation& augmentation, int64_t seed, int64_t epoch, const std::string& id,
                             int height, int width);

// images [N,C,H,W] float32 and masks [N,1,H,W] float32 {0,1}, into storage that the caller keeps.
struct Batch {
  torch::Tensor images, masks;
};
Batch make_batch(int64_t count, const ShardIndex& grid);
// Row i becomes samples[i], changed by orientations[i] (empty: none is changed). Samples of another grid, without a
// mask or more than the batch holds fail a check.
void fill_batch(Batch& batch, const std::vector<const GridSample*>& samples,
                const std::vector<Orientation>& orientations, const Normaliser& normaliser, const ShardIndex& grid);

}  // namespace penstock::stages
