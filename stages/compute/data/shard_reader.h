// The samples of a shards port, in memory: images and masks of the requested ids, native label maps on demand.
// Any thread may call.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

// What describes the data set.
struct ShardIndex {
  std::string mode = "squash";  // a name in resize_modes.h
  double scale = 1;             // sample pixels per native pixel, where samples keep their own size
  int channels = 0;
  int width = 0, height = 0;             // of the grid that all samples lie on; 0 where each has its own size
  std::vector<pipeline::Value> samples;  // records, sorted by id
};
// Throws Error(data) for a mode that this program does not know.
ShardIndex read_shard_index(const std::filesystem::path& shards);

struct GridSample {
  std::string id;
  int width = 0, height = 0;   // of image and mask
  std::vector<uint8_t> image;  // [height, width, channels]
  std::vector<uint8_t> mask;   // [height, width] of {0,1}; empty when not labelled
  LabelMap labels;             // native; without values when not labelled or not requested
  int64_t crops = 0;           // of an epoch, where the training balances its samples; 0: as its area has it
  // [height, width]: of each pixel the object whose native pixel is nearest to it, 0 background; empty when not
  // labelled or not requested.
  std::vector<uint16_t> objects;

  // The object of a pixel; where objects were not requested, 1 for all of the mask.
  uint16_t object_at(size_t pixel) const { return objects.empty() ? mask[pixel] : objects[pixel]; }
};

// Which truth is read beside masks.
enum class Truth { masks, native_labels, objects };

// In the order of `ids`; each file is read once. Throws Error(data) for an id that is not in the index or a file that
// cannot be read.
std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, Truth truth);

}  // namespace penstock::stages
