// The samples of a port that holds packs and an index (unzip.images, resize.samples), by id: how a
// stage body reads what unzip or resize published.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pipeline/stage.h"
#include "stages/packs/pack.h"

namespace penstock::stages {

// Any thread may read; packs are opened when first used.
class PackedSamples {
 public:
  // `index` is the port's JSON file with "samples" ("samples.json", "catalogue.json").
  PackedSamples(std::filesystem::path folder, const std::string& index);

  const pipeline::Value& index() const { return index_; }                   // the whole JSON
  const std::vector<pipeline::Value>& records() const { return records_; }  // sorted by id
  const pipeline::Value& record(const std::string& id) const;               // must be there
  const Pack& pack_of(const std::string& id) const;
  // (port, digest) of each sample, for SharedWork::samples.
  std::vector<pipeline::Sample> listed(const std::string& port) const;

 private:
  std::filesystem::path folder_;
  pipeline::Value index_;
  std::vector<pipeline::Value> records_;
  std::map<std::string, size_t> by_id_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Pack> packs_;
};

// The other way round, for a stage that makes a pack a chunk: links each chunk's `pack` into `output` by its bucket,
// but for those without samples. Returns their records, sorted by id, with "pack" and what `complete` adds to each.
pipeline::Value adopt_packs(const std::vector<pipeline::SharedWork::Chunk>& chunks, const std::string& pack,
                            const std::filesystem::path& output,
                            const std::function<void(pipeline::Value& record)>& complete);

}  // namespace penstock::stages
