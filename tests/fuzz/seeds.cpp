#include "fuzz/seeds.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>

#include "pipeline/files.h"
#include "pipeline/store/attempt.h"
#include "pipeline/store/store.h"
#include "pipeline/value.h"
#include "stages/archives/zip_bytes.h"
#include "stages/images/damaged_files.h"
#include "stages/packs/pack.h"
#include "stages/training/checkpoint_manifest.h"
#include "temporary_folder.h"

namespace penstock::fuzz {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;
using Seeds = std::vector<std::string>;

Seeds zips() {
  using stages::zip_of, stages::ZipEntry;
  const std::string inner = zip_of(stages::usual_entries()).bytes;
  ZipEntry link("images/a.png", "/etc/passwd", false);
  link.made_by = 3 << 8 | 20, link.mode = 0120777;
  return {inner,
          zip_of({{"a/images/a.png", "x"}, {"a/masks/1.png", "y"}, {"b\\images\\b.png", "z"}}).bytes,
          zip_of({{"images/", "", false}, {"images/p/a.tif", "x"}, {"masks/p/a_mask.tif", "y"}}).bytes,
          zip_of({{"more/inner.zip", inner, false}, {"a.png", "x"}, {"a_mask.png", "y"}}).bytes,
          zip_of({{"../a.png", "x"}}).bytes,
          zip_of({link}).bytes};
}

// Each as a mask, as a sample's picture and as an image: the last byte says so (pictures.h).
Seeds in_three_ways(const Seeds& files) {
  Seeds seeds;
  for (const std::string& file : files) {
    for (const char way : {'\0', '\1', '\2'}) seeds.push_back(file + way);
  }
  return seeds;
}

// Beside files, rows of each colour type with each filter.
Seeds pngs() {
  Seeds seeds = in_three_ways(stages::pngs());
  for (int kind = 0; kind < 4; ++kind) {
    std::string rows(1, static_cast<char>(kind + 4 * 3));
    for (int i = 0; i < 200; ++i) rows.push_back(static_cast<char>(i * 37 % 251));
    seeds.push_back(rows);
  }
  return seeds;
}

// The commented configurations that are shipped, and the broken ones that say which mistakes people make.
Seeds configurations() {
  Seeds seeds;
  std::vector<fs::path> files;
  for (const char* folder : {PENSTOCK_SOURCE_DIR "/configs", PENSTOCK_SOURCE_DIR "/tests/pipeline/broken"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) seeds.push_back(pipeline::read_file(file));
  return seeds;
}

Value row_of_epoch(int epoch, double loss) {
  const Value figures = {{"loss", loss}, {"dice", 1 - loss}};
  return {{"epoch", epoch}, {"train", figures}, {"validation", figures}};
}

Seeds checkpoints() {
  stages::CheckpointManifest manifest;
  manifest.step = 12, manifest.epoch = 3, manifest.best_epoch = 3;
  manifest.digest = manifest.weights = pipeline::digest_of(std::string_view("weights"));
  Seeds seeds = {manifest.to_text()};
  for (int epoch = 1; epoch <= 3; ++epoch) manifest.epochs.push_back(row_of_epoch(epoch, 1.0 / epoch));
  seeds.push_back(manifest.to_text());
  manifest.epochs[2]["validation"] = nullptr;
  manifest.step_in_epoch = 2;
  seeds.push_back(manifest.to_text());
  return seeds;
}

std::string joined(const stages::PackWriter& writer) {
  std::string bytes;
  for (const std::string_view piece : writer.pieces()) bytes += piece;
  return bytes;
}

Seeds packs() {
  using stages::Element;
  const std::vector<uint8_t> bytes = stages::pixels(48);
  stages::PackWriter samples("samples");
  samples.add("a/image", Element::u8, {4, 4, 3}, bytes);
  samples.add("a/mask", Element::u8, {4, 4}, std::span(bytes).first(16));
  samples.close_sample("a", {{"width", 4}});
  stages::PackWriter weights("model");
  weights.add("conv.weight", Element::f32, {3, 4}, bytes);
  weights.add("conv.steps", Element::i64, {}, std::span(bytes).first(8));
  weights.add("conv.empty", Element::f64, {0, 5}, {});
  weights.set("architecture", {{"depth", 2}});
  return {joined(samples), joined(weights), joined(stages::PackWriter("empty"))};
}

// As a store writes them: published, and read back from its files.
Seeds records() {
  const TemporaryFolder folder;
  pipeline::Store store(folder.path() / "store", pipeline::Store::Mode::read_write);
  pipeline::PublishRequest request;
  request.manifest.stage = "train";
  request.manifest.fields.fields = {{"schema", 1},
                                    {"kind", "train"},
                                    {"version", 3},
                                    {"parameter lr", 1e-3},
                                    {"parameter augment", Value::array({"flip", "rot90"})}};
  const auto published = store.publish(request).publication;
  const std::string none = published->to_text();
  const std::string manifest =
      pipeline::read_file(store.root() / "manifests" / published->kind / published->manifest.hex());
  pipeline::Publication two = *published;
  two.ports = {{"model", two.action, false}, {"telemetry", two.manifest, true}};
  // With the outputs in the manifest too; its fields stay those of the key.
  Value with_outputs = Value::parse(manifest);
  for (const auto& port : two.ports) {
    with_outputs["ports"].push_back(
        {{"port", port.port}, {"digest", port.digest.hex()}, {"volatile", port.is_volatile}});
  }
  pipeline::Attempt attempt;
  attempt.number = 1;
  const std::string buckets = Value{{"stage", "resize"}, {"chunks", {two.action.hex()}}}.dump();
  const Value lease = {{"token", "t"}, {"host", "h"},      {"boot", "b"},  {"pid_namespace", "n"},  {"pid", 1},
                       {"started", 2}, {"stage", "train"}, {"since", "s"}, {"beat", "000000000003"}};
  const std::string rest = "%%\n" + to_json(attempt).dump() + "%%\n" + buckets + "%%\n" + lease.dump();
  return {none + "%%\n" + manifest + rest, two.to_text() + "%%\n" + with_outputs.dump() + "\n" + rest};
}

}  // namespace

Seeds seeds_of(std::string_view target) {
  static const std::map<std::string_view, std::function<Seeds()>> all = {
      {"zip", zips},
      {"png", pngs},
      {"jpeg", [] { return in_three_ways(stages::jpegs()); }},
      {"tiff", [] { return in_three_ways(stages::tiffs()); }},
      {"pack", packs},
      {"toml", configurations},
      {"checkpoint", checkpoints},
      {"manifest", records}};
  const auto found = all.find(target);
  if (found == all.end()) throw std::invalid_argument("there is no fuzz target '" + std::string(target) + "'");
  return found->second();
}

}  // namespace penstock::fuzz
