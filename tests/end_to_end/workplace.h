// A fresh working directory with a small pipeline, the built program, and a cache of its own.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "process.h"
#include "temporary_folder.h"

namespace penstock {

// Seconds on a slow machine: data stages of 96 little images, 4 epochs of a tiny U-Net.
inline constexpr const char* small_pipeline = R"(schema = 1
[pipeline]
name = "small"
targets = ["report"]
[stage.synthesize]
count = 96
seed = 5
[stage.unzip]
inputs = { archive = "synthesize.archive" }
[stage.resize]
inputs = { images = "unzip.images" }
width = 32
height = 32
[stage.inspect]
inputs = { images = "unzip.images", samples = "resize.samples" }
gallery = 2
[stage.shard]
inputs = { samples = "resize.samples" }
needs = ["inspect"]
[stage.split]
inputs = { shards = "shard.shards", metadata = "inspect.metadata" }
validation = 0.2
test = 0.2
[stage.train]
inputs = { shards = "shard.shards", split = "split.index" }
base_channels = 4
depth = 2
epochs = 4
global_batch = 8
micro_batch = 2
lr = 3e-3
seed = 3
reproducible = "world"
[stage.eval]
inputs = { model = "train.model", shards = "shard.shards", split = "split.index", metadata = "inspect.metadata" }
[stage.report]
inputs = { curves = "train.curves", telemetry = "train.telemetry", model = "eval.model", metrics = "eval.metrics", predictions = "eval.predictions", data = "inspect.summary", gallery = "inspect.gallery" }
)";

// That pipeline with parts of its text exchanged: what stood there, and what stands there now.
inline std::string changed_pipeline(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::string text = small_pipeline;
  for (const auto& [before, now] : changes) {
    const size_t at = text.find(before);
    EXPECT_NE(at, std::string::npos) << before;
    if (at != std::string::npos) text.replace(at, before.size(), now);
  }
  return text;
}

// What is put before a program so that a library of the tests is preloaded into the whole job; its file says which
// variables set what it does.
inline std::string preloaded(const std::string& library, const std::string& variables) {
  return "export LD_PRELOAD='" PENSTOCK_BINARY_DIR "/lib" + library + ".so' " + variables + "; ";
}

class Workplace {
 public:
  explicit Workplace(const std::string& config = small_pipeline) { write("pipeline.toml", config); }

  const std::filesystem::path& path() const { return folder_.path(); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(path() / name) << text; }

  // The words before "run pipeline.toml ...", with a cache of its own.
  std::string program(int ranks) const {
    std::string line = "export XDG_CACHE_HOME='" + (path() / "cache").string() + "'; exec ";
    if (ranks > 1) line += "mpirun --bind-to none -np " + std::to_string(ranks) + " ";
    return line + "'" PENSTOCK_BINARY_DIR "/penstock' ";
  }
  Ran penstock(const std::string& arguments, int ranks = 1) const { return run(program(ranks) + arguments, path()); }

  // What `run --json` reports for each stage: name -> "hit", "ran", ...
  std::map<std::string, std::string> states(const std::string& flags = "", int ranks = 1) const {
    const Ran ran = penstock("run pipeline.toml --json " + flags, ranks);
    std::map<std::string, std::string> found;
    if (ran.code != 0) return {{"exit code " + std::to_string(ran.code), ran.error}};
    const auto said = nlohmann::json::parse(ran.out);
    for (const auto& stage : said.at("runs").at(0).at("stages")) found[stage.at("stage")] = stage.at("state");
    return found;
  }

  // Stage and port -> digest of what the store holds, but for volatile ports.
  std::map<std::string, std::string> published(const std::string& store = ".penstock") const {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path() / store / "manifests")) {
      if (!entry.is_regular_file() || entry.path().has_extension()) continue;  // half-written by a killed process
      const auto manifest = nlohmann::json::parse(text_of(entry.path()));
      for (const auto& port : manifest.at("ports")) {
        if (port.value("volatile", false)) continue;
        found[manifest.at("stage").get<std::string>() + "." + port.at("port").get<std::string>()] = port.at("digest");
      }
    }
    return found;
  }

  size_t entries(const std::string& folder) const {
    size_t count = 0;
    if (!std::filesystem::exists(path() / folder)) return 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path() / folder)) ++count;
    return count;
  }

  // The archive that the synthesize stage published, copied to `name` in this folder.
  void take_archive(const std::string& name) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path() / ".penstock/objects")) {
      if (entry.path().filename() != "archive.zip") continue;
      std::filesystem::copy_file(entry.path(), path() / name);
      return;
    }
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace penstock
