#include "stages/training/checkpoint_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/files.h"
#include "pipeline/json_depth.h"
#include "pipeline/whole_number.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

constexpr std::string_view prefix = "checkpoint-";
constexpr std::string_view manifest_suffix = ".json";
constexpr size_t digits_in_name = 16;

// nullopt: not byte for byte what was written. Every value counts (where to resume, the curves so far), and none of
// them shows by itself that a bit of it has changed.
std::optional<CheckpointManifest> read_manifest(const fs::path& file) {
  try {
    const std::string text = pipeline::read_file(file);
    if (pipeline::is_json_too_deep(text)) return std::nullopt;
    const Value json = Value::parse(text);
    const auto number = [](const Value& count) { return pipeline::whole_number<int64_t>(count).value(); };
    CheckpointManifest manifest{number(json.at("step")),
                                number(json.at("epoch")),
                                number(json.at("step_in_epoch")),
                                number(json.at("best_epoch")),
                                json.at("epochs"),
                                pipeline::Digest::from_hex(json.at("digest").get<std::string>()),
                                pipeline::Digest::from_hex(json.at("weights").get<std::string>())};
    const bool counts = std::min({manifest.step, manifest.epoch, manifest.step_in_epoch, manifest.best_epoch}) >= 0;
    if (counts && manifest.epochs.is_array() && manifest.to_text() == text) return manifest;
  } catch (const std::exception&) {
    // Half a file, or none at all any more.
  }
  return std::nullopt;
}

// Why a run with these parameters would not have passed through this checkpoint; empty when it would.
std::string objection(const TrainParameters& parameters, const CheckpointManifest& manifest) {
  if (manifest.epoch > parameters.epochs || (manifest.epoch == parameters.epochs && manifest.step_in_epoch > 0)) {
    return fmt::format("the checkpoint there is beyond epoch {}", parameters.epochs);
  }
  TrainingRules rules(parameters);
  bool stopped_before = false;
  TrainingRules::Decision last;
  try {
    last = rules.replay(manifest.epochs, &stopped_before);
  } catch (const Value::exception&) {
    return "its figures of past epochs are not what this program writes";
  }
  if (stopped_before || (last.stop && manifest.step_in_epoch > 0))
    return fmt::format("its own early stopping ends before epoch {}", manifest.epoch + 1);
  if (rules.best().epoch() != manifest.best_epoch) return "it compares other epochs for the best";
  return "";
}

}  // namespace

std::string CheckpointManifest::to_text() const {
  Value json = {
      {"step", step},     {"epoch", epoch},         {"step_in_epoch", step_in_epoch}, {"best_epoch", best_epoch},
      {"epochs", epochs}, {"digest", digest.hex()}, {"weights", weights.hex()}};
  json["check"] = pipeline::digest_of(json.dump()).hex();
  return json.dump() + "\n";
}

fs::path checkpoint_file(const fs::path& folder, const CheckpointManifest& manifest) {
  return folder /
         fmt::format("{}{}-{}.safetensors", prefix, manifest.step, manifest.digest.hex().substr(0, digits_in_name));
}
fs::path manifest_file(const fs::path& folder, int64_t step) {
  return folder / fmt::format("{}{}{}", prefix, step, manifest_suffix);
}

bool is_of_checkpoint(const fs::path& file) { return file.filename().string().starts_with(prefix); }

std::vector<CheckpointManifest> read_manifests(const fs::path& folder, std::vector<fs::path>* damaged) {
  std::vector<CheckpointManifest> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(manifest_suffix)) continue;
    if (auto manifest = read_manifest(entry.path())) {
      found.push_back(std::move(*manifest));
    } else if (damaged != nullptr) {
      damaged->push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end(),
            [](const CheckpointManifest& a, const CheckpointManifest& b) { return a.step > b.step; });
  return found;
}

std::vector<Adoptable> adoptable_checkpoints(const TrainParameters& parameters, const std::vector<fs::path>& relatives,
                                             std::string* refusal) {
  std::vector<Adoptable> found;
  int64_t furthest_refused = -1;
  for (const fs::path& folder : relatives) {
    for (CheckpointManifest& manifest : read_manifests(folder)) {
      const std::string problem = objection(parameters, manifest);
      if (problem.empty()) {
        found.push_back({folder, std::move(manifest)});
      } else if (manifest.step > furthest_refused) {
        furthest_refused = manifest.step;
        *refusal = problem;
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Adoptable& a, const Adoptable& b) { return a.manifest.step > b.manifest.step; });
  return found;
}

}  // namespace penstock::stages
