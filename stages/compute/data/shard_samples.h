// The samples of a shards port one at a time: in memory is only where each one lies. For a training whose samples do
// not all fit (sample_cache.h). Any thread may call; the reads of one object follow each other.
#pragma once

#include <list>
#include <mutex>

#include "stages/compute/data/hdf5_file.h"
#include "stages/compute/data/shard_reader.h"

namespace penstock::stages {

class ShardSamples {
 public:
  // Opens each file once to learn where its samples lie. The samples have the numbers of their places in `ids`. Throws
  // as read_samples does; `truth`: masks or objects.
  ShardSamples(std::filesystem::path shards, const ShardIndex& index, const std::vector<std::string>& ids, Truth truth);

  int size() const { return static_cast<int>(places_.size()); }
  // The sample without pixels.
  GridSample header(int number) const;
  int64_t bytes_of(int number) const;  // what its pixels take
  // Throws Error(data) naming file and sample.
  StoredPixels read(int number);

 private:
  struct Place {
    uint32_t file = 0;
    bool labelled = false;
    int32_t height = 0, width = 0;                // of the sample
    int32_t native_height = 0, native_width = 0;  // of its label map
    int64_t begin = 0;                            // pixels of the file before it
    int64_t label_begin = 0;                      // values of the file's labels before its own
  };
  const Hdf5Reader& open(uint32_t file);

  const std::filesystem::path shards_;
  const int channels_;
  const Element image_element_;
  const bool own_size_, objects_;
  const std::vector<std::string> files_;
  std::vector<std::string> ids_;
  std::vector<Place> places_;
  std::mutex mutex_;
  std::list<std::pair<uint32_t, Hdf5Reader>> open_;  // the file that was read last comes first
};

}  // namespace penstock::stages
