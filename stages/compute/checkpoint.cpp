#include "stages/compute/checkpoint.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "pipeline/files.h"
#include "stages/pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
namespace fs = std::filesystem;

constexpr size_t kept = 2;

// Every array of a checkpoint by its name in the file.
template <typename Some, typename Visit>
void each_array(Some& checkpoint, const Visit& visit) {
  visit("parameters", checkpoint.parameters);
  visit("statistics", checkpoint.statistics);
  visit("adam_mean", checkpoint.adam_mean);
  visit("adam_square", checkpoint.adam_square);
  visit("best_parameters", checkpoint.best_parameters);
  visit("best_statistics", checkpoint.best_statistics);
}

std::string file_of(int64_t step) { return fmt::format("checkpoint-{}.safetensors", step); }
std::string manifest_of(int64_t step) { return fmt::format("checkpoint-{}.json", step); }

Checkpoint read(const fs::path& path) {
  const Pack pack(path);
  Checkpoint checkpoint;
  checkpoint.state = pack.header().at("state");
  each_array(checkpoint, [&](const char* name, std::vector<float>& values) {
    const PackedArray array = pack.array(name);
    values.resize(array.bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  });
  return checkpoint;
}

}  // namespace

uint64_t CheckpointFolder::save(const Checkpoint& checkpoint, int64_t step) const {
  PackWriter pack("checkpoint");
  pack.set("state", checkpoint.state);
  each_array(checkpoint, [&](const char* name, const std::vector<float>& values) {
    pack.add(name, Element::f32, {static_cast<int64_t>(values.size())},
             {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  });
  const std::string bytes = pack.serialise();
  pipeline::write_file(folder_ / file_of(step), bytes);
  pipeline::write_file(folder_ / manifest_of(step), Value{{"step", step}, {"digest", pipeline::digest_of(bytes).hex()}}.dump());
  const auto all = steps();
  for (size_t i = kept; i < all.size(); ++i) {
    fs::remove(folder_ / manifest_of(all[i]));
    fs::remove(folder_ / file_of(all[i]));
  }
  return bytes.size();
}

std::optional<Checkpoint> CheckpointFolder::load_newest() const {
  for (const int64_t step : steps()) {
    const fs::path path = folder_ / file_of(step);
    try {
      const Value manifest = Value::parse(pipeline::read_file(folder_ / manifest_of(step)));
      if (pipeline::digest_of_file(path).hex() == manifest.at("digest").get<std::string>()) return read(path);
      spdlog::warn("{}: is damaged; the checkpoint before it is taken", path.string());
    } catch (const std::exception& problem) {
      spdlog::warn("{}: cannot be used ({}); the checkpoint before it is taken", path.string(), problem.what());
    }
  }
  return std::nullopt;
}

std::vector<int64_t> CheckpointFolder::steps() const {
  std::vector<int64_t> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder_, absent)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-") && name.ends_with(".json")) found.push_back(std::stoll(name.substr(11)));
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace penstock::stages
