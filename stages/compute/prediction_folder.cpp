#include "stages/compute/prediction_folder.h"

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/compute/scores/prediction_files.h"
#include "stages/packs/json_file.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

constexpr const char* description = "predict.json";
constexpr const char* done = ".done";  // three files for each image: its scores, and its rows in the two tables

}  // namespace

PredictionFolder::PredictionFolder(fs::path folder, const fs::path& model)
    : folder_(std::move(folder)), model_(pipeline::digest_of_file(model / "model.json").hex()) {}

void PredictionFolder::open() const {
  if (fs::exists(folder_) && !fs::is_empty(folder_)) {
    if (!fs::exists(folder_ / description))
      throw Error(ExitCode::cannot_create, folder_.string() + ": exists, is not empty and holds no results of predict");
    if (read_json(folder_ / description).value("model", "") != model_) {
      throw Error(ExitCode::cannot_create,
                  folder_.string() + ": holds the results of another model; give another --output");
    }
    return;
  }
  pipeline::make_folder(folder_ / done);
  write_json(folder_ / description, {{"schema", 1}, {"model", model_}});
}

std::optional<Value> PredictionFolder::find(const std::string& id, const pipeline::Digest& bytes) const {
  const fs::path file = folder_ / done / (id + ".json");
  if (!fs::exists(file)) return std::nullopt;
  const Value record = Value::parse(pipeline::read_file(file), nullptr, false);
  if (!record.is_object() || record.value("bytes", "") != bytes.hex()) return std::nullopt;
  for (const char* part : {"probability", "overlays"}) {
    if (!fs::exists(folder_ / part / (id + ".png"))) return std::nullopt;
  }
  const TableParts tables = tables_of(id);
  if (labels_file(folder_, id).empty() || !fs::exists(tables.objects) || !fs::exists(tables.submission))
    return std::nullopt;
  return record.at("row");
}

TableParts PredictionFolder::tables_of(const std::string& id) const { return table_parts(folder_ / done, id); }

void PredictionFolder::add(const std::string& id, const pipeline::Digest& bytes, const Value& row) const {
  pipeline::write_file(folder_ / done / (id + ".json"), Value{{"bytes", bytes.hex()}, {"row", row}}.dump());
}

}  // namespace penstock::stages
