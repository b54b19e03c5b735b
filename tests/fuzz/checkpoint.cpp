// A checkpoint's manifest, as it is and with its own digest made right: read, written again, and judged by a run that
// might go on from it.
#include "fuzz/fuzzing.h"
#include "pipeline/json_depth.h"
#include "stages/training/checkpoint_manifest.h"

namespace penstock::fuzz {
namespace {

using pipeline::Value;
using stages::CheckpointManifest;

// What the program would have written, had it meant this; "" for what is no object.
std::string with_its_digest(std::string_view text) {
  if (pipeline::is_json_too_deep(text)) return "";
  Value json = Value::parse(text, nullptr, false);
  if (!json.is_object()) return "";
  json.erase("check");
  json["check"] = pipeline::digest_of(json.dump()).hex();
  return json.dump() + "\n";
}

void read(std::string_view text) {
  const auto file = stages::manifest_file(scratch(), 1);
  put(file, text);
  std::vector<std::filesystem::path> damaged;
  const std::vector<CheckpointManifest> found = stages::read_manifests(scratch(), &damaged);
  require(found.size() + damaged.size() == 1, "a manifest is read or damaged");
  for (const CheckpointManifest& manifest : found) {
    require(manifest.to_text() == text, "a manifest that is read is what was written");
    require(stages::checkpoint_file(scratch(), manifest).parent_path() == scratch(),
            "a checkpoint's file lies beside its manifest");
  }
  for (const char* monitor : {"val_loss", "loss"}) {
    stages::TrainParameters parameters;
    parameters.monitor = parameters.stop_monitor = monitor;
    parameters.stop_patience = 2;
    std::string refusal;
    const auto adoptable = stages::adoptable_checkpoints(parameters, {scratch()}, &refusal);
    require(adoptable.size() <= found.size(), "only what is read is adopted");
    require(adoptable.size() == found.size() || !refusal.empty(), "what is not adopted has a reason");
  }
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock::fuzz;
  const std::string_view text = text_of(data, size);
  read(text);
  const std::string mended = with_its_digest(text);
  if (!mended.empty() && mended != text) read(mended);
  return 0;
}
