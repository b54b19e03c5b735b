#include "stages/compute/data/shard_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {
namespace {

constexpr size_t most_open = 64;  // files; each takes about 100 KiB

}  // namespace

ShardSamples::ShardSamples(std::filesystem::path shards, const ShardIndex& index, const std::vector<std::string>& ids,
                           Truth truth)
    : shards_(std::move(shards)),
      channels_(index.channels),
      image_element_(index.image_element()),
      own_size_(index.rule.own_size()),
      objects_(truth == Truth::objects),
      files_(index.files),
      ids_(ids),
      places_(ids.size()) {
  PENSTOCK_CHECK(truth != Truth::native_labels, "samples that are read one at a time come with masks or objects");
  std::vector<std::vector<size_t>> by_file(files_.size());
  for (size_t i = 0; i < ids_.size(); ++i) by_file[index.record(ids_[i]).file].push_back(i);
  for (uint32_t file = 0; file < files_.size(); ++file) {
    if (by_file[file].empty()) continue;
    const ShardPlaces there = read_places(Hdf5Reader(shards_ / files_[file]), index, truth);
    for (const size_t i : by_file[file]) {
      const ShardRecord& record = index.record(ids_[i]);
      const auto row = static_cast<size_t>(record.row);
      places_[i] = {file,
                    record.labelled,
                    there.height.at(row),
                    there.width.at(row),
                    there.native_height.at(row),
                    there.native_width.at(row),
                    there.begin.at(row),
                    objects_ ? there.label_begin.at(row) : 0};
    }
  }
}

GridSample ShardSamples::header(int number) const {
  const Place& place = places_.at(static_cast<size_t>(number));
  GridSample sample;
  sample.id = ids_[static_cast<size_t>(number)];
  sample.width = place.width, sample.height = place.height;
  sample.number = number;
  return sample;
}

int64_t ShardSamples::bytes_of(int number) const {
  const Place& place = places_.at(static_cast<size_t>(number));
  const int64_t truth = place.labelled ? 1 + (objects_ ? static_cast<int64_t>(sizeof(uint16_t)) : 0) : 0;
  const int64_t image = channels_ * static_cast<int64_t>(stages::bytes_of(image_element_));
  return int64_t{place.height} * place.width * (image + truth);
}

const Hdf5Reader& ShardSamples::open(uint32_t file) {
  const auto found = std::find_if(open_.begin(), open_.end(), [file](const auto& one) { return one.first == file; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
  } else {
    if (open_.size() == most_open) open_.pop_back();
    open_.emplace_front(std::piecewise_construct, std::forward_as_tuple(file),
                        std::forward_as_tuple(shards_ / files_[file]));
  }
  return open_.front().second;
}

StoredPixels ShardSamples::read(int number) {
  const Place& place = places_.at(static_cast<size_t>(number));
  const auto begin = static_cast<uint64_t>(place.begin),
             pixels = static_cast<uint64_t>(place.height) * static_cast<uint64_t>(place.width);
  // Rows of images and masks are pixels, or on a grid samples.
  const uint64_t first = own_size_ ? begin : begin / pixels, rows = own_size_ ? pixels : 1;
  const std::lock_guard lock(mutex_);
  try {
    const Hdf5Reader& file = open(place.file);
    StoredPixels stored;
    stored.image = file.read_rows("images", image_element_, first, rows);
    if (!place.labelled) return stored;
    stored.mask = file.read_rows("masks", Element::u8, first, rows);
    if (!objects_) return stored;
    const int width = place.native_width, height = place.native_height;
    const auto native = read_labels(file, static_cast<uint64_t>(place.label_begin),
                                    static_cast<uint64_t>(height) * static_cast<uint64_t>(width));
    stored.objects = nearest(native, width, height, place.width, place.height);
    return stored;
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} (sample '{}')", error.what(), ids_[static_cast<size_t>(number)]));
  }
}

}  // namespace penstock::stages
