// The samples of a shards port, in memory: images and masks of the requested ids, native label maps on demand. One at a
// time: shard_samples.h. Any thread may call.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/value.h"
#include "stages/compute/data/hdf5_file.h"
#include "stages/compute/data/sample_pixels.h"
#include "stages/images/label_codec.h"
#include "stages/resize_modes.h"

namespace penstock::stages {

// A sample in the index.
struct ShardRecord {
  std::string id;
  pipeline::Digest digest;        // of its rows and label map
  uint32_t file = 0;              // its place in ShardIndex::files
  int32_t row = 0;                // its place in the file
  int32_t width = 0, height = 0;  // where samples have their own size
  bool labelled = false;
};

// What describes the data set.
struct ShardIndex {
  SampleRule rule;
  int channels = 0;
  int bits = 8;                      // of a value of the samples' images
  std::vector<std::string> files;    // names
  std::vector<ShardRecord> samples;  // sorted by id
  pipeline::Value others;            // the file's keys but "samples"

  // Throws Error(data) where there is none.
  const ShardRecord& record(const std::string& id) const;
  Element image_element() const { return bits == 8 ? Element::u8 : Element::u16; }
};
// Throws Error(data) for a mode that this program does not know. A file of 100,000 samples is never in memory as a
// tree.
ShardIndex read_shard_index(const std::filesystem::path& shards);

struct GridSample {
  std::string id;
  int width = 0, height = 0;   // of image and mask
  std::vector<uint8_t> image;  // [height, width, channels], values of the data set's bits
  std::vector<uint8_t> mask;   // [height, width] of {0,1}; empty when not labelled
  LabelMap labels;             // native; without values when not labelled or not requested
  int64_t crops = 0;           // of an epoch, where the training balances its samples; 0: as its area has it
  // [height, width]: of each pixel the object whose native pixel is nearest to it, 0 background; empty when not
  // labelled or not requested.
  std::vector<uint16_t> objects;
  // Where image, mask and objects do not stay in memory, and the sample's number there.
  std::shared_ptr<SampleSource> source;
  int number = 0;

  // Its own, or what the source gives: throws Error(data) where that cannot be read.
  SamplePixels pixels() const;
};

// Which truth is read beside masks.
enum class Truth { masks, native_labels, objects };

// In the order of `ids`; each file is read once. Throws Error(data) for an id that is not in the index or a file that
// cannot be read.
std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, Truth truth);

// Where the samples of a file lie in it.
struct ShardPlaces {
  std::vector<int64_t> begin;          // pixels before each sample
  std::vector<int32_t> height, width;  // of the samples
  std::vector<int32_t> native_height, native_width;
  std::vector<int64_t> label_begin;  // values of labels before each sample's map, and all; not for Truth::masks
};
ShardPlaces read_places(const Hdf5Reader& file, const ShardIndex& index, Truth truth);

// `count` values of labels from value `first` on, whether the file has them in 16 bits or in 32.
std::vector<Label> read_labels(const Hdf5Reader& file, uint64_t first, uint64_t count);

// Of each pixel the number of the object that its centre lies in, 0 background; in 16 bits, so that object 65,536 is 1
// again. Training asks who touches whom: of that many touching pairs in a label image whose numbers say nothing of
// places, one is taken for one object; where numbers go by places, none.
std::vector<uint16_t> nearest(std::span<const Label> native, int native_width, int native_height, int width,
                              int height);

}  // namespace penstock::stages
