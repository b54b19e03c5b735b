#include "stages/packs/packed_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"
#include "pipeline/files.h"
#include "stages/packs/json_file.h"

namespace penstock::stages {

using pipeline::Value;

PackedSamples::PackedSamples(std::filesystem::path folder, const std::string& index)
    : folder_(std::move(folder)), index_(read_json(folder_ / index)) {
  for (const Value& record : index_.at("samples")) {
    const bool fresh = by_id_.emplace(record.at("id"), records_.size()).second;
    PENSTOCK_CHECK(fresh, fmt::format("{} lists a sample once; '{}' is there twice", (folder_ / index).string(),
                                      record.at("id").get<std::string>()));
    records_.push_back(record);
  }
}

const Value& PackedSamples::record(const std::string& id) const {
  const auto found = by_id_.find(id);
  PENSTOCK_CHECK(found != by_id_.end(),
                 fmt::format("an id comes from the same index; {} has no '{}'", folder_.string(), id));
  return records_[found->second];
}

const Pack& PackedSamples::pack_of(const std::string& id) const {
  const std::string& name = record(id).at("pack").get_ref<const std::string&>();
  const std::lock_guard lock(mutex_);
  auto found = packs_.find(name);
  if (found == packs_.end()) found = packs_.emplace(name, Pack(folder_ / name)).first;
  return found->second;
}

std::vector<pipeline::Sample> PackedSamples::listed(const std::string& port) const {
  std::vector<pipeline::Sample> all;
  for (const Value& record : records_) {
    all.push_back({record.at("id"), {{port, pipeline::Digest::from_hex(record.at("digest").get<std::string>())}}});
  }
  return all;
}

Value adopt_packs(const std::vector<pipeline::SharedWork::Chunk>& chunks, const std::string& pack,
                  const std::filesystem::path& output, const std::function<void(Value& record)>& complete) {
  Value records = Value::array();
  for (const auto& chunk : chunks) {
    const std::vector<Value> samples = Pack(chunk.folder / pack).samples();
    if (samples.empty()) continue;
    const std::string name = chunk.bucket + ".safetensors";
    pipeline::link_or_copy(chunk.folder / pack, output / name);
    for (Value record : samples) {
      record["pack"] = name;
      complete(record);
      records.push_back(std::move(record));
    }
  }
  std::sort(records.begin(), records.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
  return records;
}

}  // namespace penstock::stages
