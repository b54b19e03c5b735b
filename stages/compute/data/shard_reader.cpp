#include "stages/compute/data/shard_reader.h"

#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/compute/data/hdf5_file.h"

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

std::vector<uint8_t> part(const std::vector<uint8_t>& all, size_t index, size_t size) {
  PENSTOCK_CHECK((index + 1) * size <= all.size(), "a sample's row lies within its file");
  return {all.begin() + static_cast<ptrdiff_t>(index * size), all.begin() + static_cast<ptrdiff_t>((index + 1) * size)};
}

}  // namespace

ShardIndex read_shard_index(const std::filesystem::path& shards) {
  const Value json = Value::parse(pipeline::read_file(shards / "index.json"));
  ShardIndex index{json.at("width"), json.at("height"), json.at("channels"), {}};
  for (const Value& sample : json.at("samples")) index.samples.push_back(sample);
  return index;
}

std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, bool with_labels) {
  std::map<std::string, const Value*> by_id;
  for (const Value& sample : index.samples) by_id.emplace(sample.at("id"), &sample);
  std::map<std::string, std::vector<size_t>> by_file;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto found = by_id.find(ids[i]);
    if (found == by_id.end())
      throw Error(ExitCode::data, "the split names the sample '" + ids[i] + "', which the shards do not hold");
    by_file[found->second->at("file")].push_back(i);
  }
  const size_t pixels = static_cast<size_t>(index.width) * index.height;
  std::vector<GridSample> samples(ids.size());
  for (const auto& [name, wanted] : by_file) {
    const Hdf5Reader file(shards / name);
    const auto images = file.read("images", Element::u8);
    const auto masks = file.read("masks", Element::u8);
    std::vector<uint16_t> labels;
    std::vector<int64_t> offset;
    std::vector<int32_t> height = values<int32_t>(file, "height", Element::i32),
                         width = values<int32_t>(file, "width", Element::i32);
    if (with_labels) {
      labels = values<uint16_t>(file, "labels", Element::u16);
      offset = values<int64_t>(file, "offset", Element::i64);
    }
    for (const size_t i : wanted) {
      const Value& record = *by_id.at(ids[i]);
      const size_t row = record.at("row");
      GridSample& sample = samples[i];
      sample.id = ids[i];
      sample.image = part(images, row, pixels * index.channels);
      sample.labels.height = height.at(row);
      sample.labels.width = width.at(row);
      if (!record.at("labelled").get<bool>()) continue;
      sample.mask = part(masks, row, pixels);
      if (with_labels)
        sample.labels.labels.assign(labels.begin() + offset.at(row), labels.begin() + offset.at(row + 1));
    }
  }
  return samples;
}

}  // namespace penstock::stages
