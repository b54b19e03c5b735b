// The samples of a shards port, in memory: grid images and masks of the requested ids, native label maps on demand.
// Any thread may call.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

struct ShardIndex {
  int width = 0, height = 0, channels = 0;
  std::vector<pipeline::Value> samples;  // records, sorted by id
};
ShardIndex read_shard_index(const std::filesystem::path& shards);

struct GridSample {
  std::string id;
  std::vector<uint8_t> image;  // [H,W,C]
  std::vector<uint8_t> mask;   // [H,W] of {0,1}; empty when not labelled
  LabelMap labels;             // native; without values when not labelled or not requested
};

// In the order of `ids`; each file is read once. `with_labels`: native label maps too. Throws Error(data) for an id
// that is not in the index or a file that cannot be read.
std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, bool with_labels);

}  // namespace penstock::stages
