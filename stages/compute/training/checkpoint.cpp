#include "stages/compute/training/checkpoint.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>

#include "distributed/check.h"
#include "pipeline/files.h"
#include "pipeline/process_mark.h"
#include "stages/packs/pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
namespace fs = std::filesystem;

// Every array of a checkpoint by its name in the file. `averages`: whether there are averaged weights.
template <typename Some, typename Visit>
void each_array(Some& checkpoint, bool averages, const Visit& visit) {
  visit("parameters", checkpoint.parameters);
  visit("statistics", checkpoint.statistics);
  visit("first_moment", checkpoint.first_moment);
  visit("second_moment", checkpoint.second_moment);
  visit("best_parameters", checkpoint.best_parameters);
  visit("best_statistics", checkpoint.best_statistics);
  if (!averages) return;
  visit("averaged_parameters", checkpoint.averaged_parameters);
  visit("averaged_statistics", checkpoint.averaged_statistics);
}

Checkpoint read(const fs::path& path) {
  const Pack pack(path);
  Checkpoint checkpoint;
  checkpoint.state = pack.header().at("state");
  each_array(checkpoint, pack.has("averaged_parameters"), [&](const char* name, std::vector<float>& values) {
    const PackedArray array = pack.array(name);
    PENSTOCK_CHECK(array.element == Element::f32, fmt::format("'{}' of a checkpoint is float32", name));
    values.resize(array.bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  });
  return checkpoint;
}

}  // namespace

pipeline::Digest digest_of_weights(const std::vector<float>& parameters, const std::vector<float>& statistics,
                                   const std::vector<float>& averaged_parameters,
                                   const std::vector<float>& averaged_statistics) {
  pipeline::Hasher hasher;
  for (const auto* values : {&parameters, &statistics, &averaged_parameters, &averaged_statistics})
    hasher.bytes(values->data(), values->size() * sizeof(float));
  return hasher.finish();
}

uint64_t CheckpointFolder::save(const Checkpoint& checkpoint, CheckpointManifest manifest) const {
  const size_t count = checkpoint.parameters.size(), best = checkpoint.best_parameters.size(),
               averaged = checkpoint.averaged_parameters.size();
  PENSTOCK_CHECK(checkpoint.first_moment.size() == count &&
                     (checkpoint.second_moment.empty() || checkpoint.second_moment.size() == count) &&
                     (best == 0 || best == count) && (averaged == 0 || averaged == count),
                 fmt::format("arrays of a checkpoint are of one network: {} parameters, moments {} and {}, best {}, "
                             "averaged {}",
                             count, checkpoint.first_moment.size(), checkpoint.second_moment.size(), best, averaged));
  PackWriter pack("checkpoint");
  pack.set("state", checkpoint.state);
  each_array(checkpoint, averaged > 0, [&](const char* name, const std::vector<float>& values) {
    pack.add_view(name, Element::f32, {static_cast<int64_t>(values.size())},
                  {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  });
  const auto pieces = pack.pieces();
  manifest.digest = pipeline::digest_of(pieces);
  manifest.weights = digest_of_weights(checkpoint.parameters, checkpoint.statistics, checkpoint.averaged_parameters,
                                       checkpoint.averaged_statistics);
  pipeline::write_file(checkpoint_file(folder_, manifest), pieces);
  pipeline::write_file(manifest_file(folder_, manifest.step), manifest.to_text());
  pipeline::sync_folder(folder_);  // what was there before goes only once the new one would survive a power cut
  remove_others(manifest.step);
  return std::transform_reduce(pieces.begin(), pieces.end(), uint64_t{0}, std::plus(),
                               [](std::string_view piece) { return piece.size(); });
}

// Keeps the last few up to `newest`. Later ones were skipped as damaged when training resumed from before them; files
// without a manifest were left by a writer that was killed.
void CheckpointFolder::remove_others(int64_t newest) const {
  std::set<fs::path> kept;
  size_t count = 0;
  for (const CheckpointManifest& one : read_manifests(folder_)) {
    if (one.step > newest || count++ >= kept_) continue;
    kept.insert(checkpoint_file(folder_, one));
    kept.insert(manifest_file(folder_, one.step));
  }
  std::vector<fs::path> others;
  std::error_code ignored;  // the new one is there: that an old one cannot be removed is no failure to save
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    const auto writer = pipeline::mark_in(entry.path().filename().string());
    const bool being_written = writer && pipeline::life_of(*writer) != pipeline::Life::gone;
    if (is_of_checkpoint(entry.path()) && !kept.count(entry.path()) && !being_written) others.push_back(entry.path());
  }
  std::sort(others.begin(), others.end());  // .json before .safetensors: no manifest without its file
  for (const fs::path& file : others) fs::remove(file, ignored);
}

std::optional<Checkpoint> load_checkpoint(const fs::path& folder, const CheckpointManifest& manifest) {
  const fs::path path = checkpoint_file(folder, manifest);
  try {
    if (pipeline::digest_of_file(path) == manifest.digest) return read(path);
    spdlog::warn("{}: is damaged; the previous checkpoint is used", path.string());
  } catch (const std::exception& problem) {
    spdlog::warn("{}: cannot be used ({}); the previous checkpoint is used", path.string(), problem.what());
  }
  return std::nullopt;
}

}  // namespace penstock::stages
