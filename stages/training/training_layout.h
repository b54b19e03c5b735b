// How a training is laid out over ranks: decisions that the trainer takes and `penstock plan --world` predicts, in one
// place. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "distributed/reducer/gradient_reducer.h"
#include "stages/training/train_parameters.h"

namespace penstock::stages {

// How gradients are summed.
distributed::Reproducible reproducible_of(const TrainParameters& parameters);

// As train.reproducible spells it.
inline const char* name_of(distributed::Reproducible mode) {
  return mode == distributed::Reproducible::world ? "world" : "run";
}

// What the reducer adds up in a step: micro-shards, or with synchronised norms, which see them together, the ranks'
// shares.
int items_of(const TrainParameters& parameters, int ranks);

inline double area_in_crops(int64_t height, int64_t width, int64_t crop_height, int64_t crop_width) {
  return static_cast<double>(height) * static_cast<double>(width) / static_cast<double>(crop_height * crop_width);
}

// How many crops of a sample an epoch holds: its area over the crop's, rounded, at least 1. One of a sample that has
// the crop's size.
inline int64_t crops_of_sample(int64_t height, int64_t width, int64_t crop_height, int64_t crop_width) {
  return std::max<int64_t>(1, std::llround(area_in_crops(height, width, crop_height, crop_width)));
}

// How many crops of each sample an epoch holds where visual types are balanced: each type has its share in proportion
// to the root of the number of its samples, so that one of few samples is seen more often, and in a type each sample by
// its area; each at least once; in all about as many as crops_of_sample() gives, and more where samples would have less
// than one. `areas`: in crops; `looks`: each sample's type. Fractions are carried to the next sample, so it is the same
// on every rank.
std::vector<int64_t> balanced_crops(const std::vector<double>& areas, const std::vector<std::string>& looks);

// Full steps of an epoch of so many crops; the last is filled from the epoch's beginning.
inline int64_t steps_per_epoch(int64_t crops, int64_t global_batch) {
  return (crops + global_batch - 1) / global_batch;
}

// Of a micro-shard's vector: gradients, running statistics, then the step's figures. `slots`: the lengths of the
// parameters in the order of their use.
std::vector<distributed::Bucket> gradient_buckets(const std::vector<size_t>& slots, int64_t statistics);

}  // namespace penstock::stages
