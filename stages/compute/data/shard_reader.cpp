#include "stages/compute/data/shard_reader.h"

#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/compute/data/hdf5_file.h"
#include "stages/resize_modes.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

template <typename T>
std::vector<T> values(const Hdf5Reader& file, const std::string& name, Element element) {
  const auto bytes = file.read(name, element);
  std::vector<T> all(bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

// `count` values from `begin` on.
std::vector<uint8_t> part(const std::vector<uint8_t>& all, size_t begin, size_t count) {
  PENSTOCK_CHECK(begin + count <= all.size(), "a sample's pixels lie within its file");
  return {all.begin() + static_cast<ptrdiff_t>(begin), all.begin() + static_cast<ptrdiff_t>(begin + count)};
}

// Where the samples of a file lie in it.
struct Places {
  std::vector<int64_t> begin;  // pixels
  std::vector<int32_t> height, width;
};

Places places_of(const Hdf5Reader& file, const ShardIndex& index) {
  if (resize_mode(index.mode).own_size) {
    return {values<int64_t>(file, "image_offset", Element::i64), values<int32_t>(file, "sample_height", Element::i32),
            values<int32_t>(file, "sample_width", Element::i32)};
  }
  const size_t rows = file.shape("images").at(0);
  Places places{{}, std::vector<int32_t>(rows, index.height), std::vector<int32_t>(rows, index.width)};
  for (size_t row = 0; row < rows; ++row)
    places.begin.push_back(static_cast<int64_t>(row) * index.height * index.width);
  return places;
}

// Of each pixel the value of the native pixel that its centre lies in.
std::vector<uint16_t> nearest(std::span<const uint16_t> native, int native_width, int native_height, int width,
                              int height) {
  if (native_width == width && native_height == height) return {native.begin(), native.end()};
  const auto under = [](int place, int size, int native_size) {
    return static_cast<size_t>((2 * int64_t{place} + 1) * native_size / (2 * int64_t{size}));
  };
  std::vector<uint16_t> values;
  values.reserve(static_cast<size_t>(width) * static_cast<size_t>(height));
  for (int y = 0; y < height; ++y) {
    const size_t line = under(y, height, native_height) * static_cast<size_t>(native_width);
    for (int x = 0; x < width; ++x) values.push_back(native[line + under(x, width, native_width)]);
  }
  return values;
}

}  // namespace

ShardIndex read_shard_index(const std::filesystem::path& shards) {
  const Value json = Value::parse(pipeline::read_file(shards / "index.json"));
  ShardIndex index;
  index.channels = json.at("channels");
  index.mode = json.value("mode", index.mode);
  require_known("resize mode", index.mode, names_of(resize_modes()));
  index.scale = json.value("scale", index.scale);
  if (!resize_mode(index.mode).own_size) index.width = json.at("width"), index.height = json.at("height");
  for (const Value& sample : json.at("samples")) index.samples.push_back(sample);
  return index;
}

std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, Truth truth) {
  std::map<std::string, const Value*> by_id;
  for (const Value& sample : index.samples) by_id.emplace(sample.at("id"), &sample);
  std::map<std::string, std::vector<size_t>> by_file;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto found = by_id.find(ids[i]);
    if (found == by_id.end())
      throw Error(ExitCode::data, "the split names the sample '" + ids[i] + "', which the shards do not hold");
    by_file[found->second->at("file")].push_back(i);
  }
  std::vector<GridSample> samples(ids.size());
  for (const auto& [name, wanted] : by_file) {
    const Hdf5Reader file(shards / name);
    const auto images = file.read("images", Element::u8);
    const auto masks = file.read("masks", Element::u8);
    const Places places = places_of(file, index);
    std::vector<uint16_t> labels;
    std::vector<int64_t> offset;
    std::vector<int32_t> height = values<int32_t>(file, "height", Element::i32),
                         width = values<int32_t>(file, "width", Element::i32);
    if (truth != Truth::masks) {
      labels = values<uint16_t>(file, "labels", Element::u16);
      offset = values<int64_t>(file, "offset", Element::i64);
    }
    for (const size_t i : wanted) {
      const Value& record = *by_id.at(ids[i]);
      const size_t row = record.at("row");
      GridSample& sample = samples[i];
      sample.id = ids[i];
      sample.width = places.width.at(row);
      sample.height = places.height.at(row);
      const auto begin = static_cast<size_t>(places.begin.at(row)), channels = static_cast<size_t>(index.channels),
                 pixels = static_cast<size_t>(sample.width) * static_cast<size_t>(sample.height);
      sample.image = part(images, begin * channels, pixels * channels);
      sample.labels.height = height.at(row);
      sample.labels.width = width.at(row);
      if (!record.at("labelled").get<bool>()) continue;
      sample.mask = part(masks, begin, pixels);
      if (truth == Truth::masks) continue;
      const std::span<const uint16_t> native(&labels[static_cast<size_t>(offset.at(row))],
                                             static_cast<size_t>(offset.at(row + 1) - offset.at(row)));
      if (truth == Truth::native_labels)
        sample.labels.labels.assign(native.begin(), native.end());
      else
        sample.objects = nearest(native, sample.labels.width, sample.labels.height, sample.width, sample.height);
    }
  }
  return samples;
}

}  // namespace penstock::stages
