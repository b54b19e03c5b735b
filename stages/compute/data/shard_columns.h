// The samples of one shard, collected column by column and written as one HDF5 file: rows of one grid ("Penstock shard
// 1"), or samples of their own sizes one after another ("Penstock shard 2"; FORMATS.md). One thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/data/hdf5_file.h"
#include "stages/images/label_codec.h"
#include "stages/packs/pack.h"

namespace penstock::stages {

// A data set of a shard, for the file's attributes and for DATASET.md alike.
struct ShardDataSet {
  const char* name;
  const char* type;
  const char* axes;
  const char* meaning;
};

// Label maps one after another, in 16 bits until one has more objects than those tell apart.
class LabelColumn {
 public:
  void reserve(size_t values) { narrow_.reserve(values); }
  void add(std::span<const Label> labels);
  size_t size() const { return is_wide() ? wide_.size() : narrow_.size(); }
  bool is_wide() const { return !wide_.empty(); }
  const void* data() const {
    return is_wide() ? static_cast<const void*>(wide_.data()) : static_cast<const void*>(narrow_.data());
  }

 private:
  std::vector<uint16_t> narrow_;
  std::vector<Label> wide_;  // all of them, once one is too large
};

class ShardColumns {
 public:
  virtual ~ShardColumns() = default;

  // A sample of resize, by its record in samples.json and its pack.
  void add(const pipeline::Value& record, const Pack& pack);

  // About: as many as with label maps of 16 bits.
  uint64_t bytes() const { return images_.size() + masks_.size() + labels_.size() * sizeof(uint16_t); }
  uint32_t count() const { return static_cast<uint32_t>(ids_.size()); }
  // Whether the file is to be closed before this sample is added.
  virtual bool is_full_for(const pipeline::Value& record) const = 0;

  virtual Hdf5Image to_hdf5() const = 0;
  virtual const std::vector<ShardDataSet>& data_sets() const = 0;
  // For DATASET.md: what the samples are, and lines of Python that read the first one.
  virtual std::string samples_in_words() const = 0;
  virtual std::string python() const = 0;

 protected:
  // `bits`: of a value of its images.
  ShardColumns(int channels, int bits) : channels_(channels), bits_(bits) {}
  Element image_element() const { return bits_ == 8 ? Element::u8 : Element::u16; }
  uint64_t pixel_bytes() const { return static_cast<uint64_t>(channels_) * bytes_of(image_element()); }
  virtual void place(const pipeline::Value& record) = 0;  // of the sample that is added now
  class File;

  const int channels_, bits_;
  std::vector<uint8_t> images_, masks_, labelled_;
  std::vector<int32_t> height_native_, width_native_;
  std::vector<std::string> ids_;
  LabelColumn labels_;
  std::vector<int64_t> offset_ = {0};
};

// Empty columns for the samples that this index (samples.json of resize) describes.
std::unique_ptr<ShardColumns> make_shard_columns(const pipeline::Value& index);

}  // namespace penstock::stages
