#include "stages/compute/scores/prediction_tables.h"

#include <fmt/format.h>

#include "pipeline/files.h"

namespace penstock::stages {

using pipeline::Value;

Value PredictionTables::rows_of(const NativePrediction& prediction) {
  return {{"objects", object_rows(prediction)}, {"runs", run_lengths(prediction.objects)}};
}

void PredictionTables::add(const std::string& id, const Value& rows) {
  for (const Value& row : rows.at("objects")) {
    objects_.add({id, std::to_string(row.at("object").get<int>()), std::to_string(row.at("area").get<int64_t>()),
                  fmt::format("{:.3f}", row.at("x").get<double>()), fmt::format("{:.3f}", row.at("y").get<double>()),
                  fmt::format("{:.4f}", row.at("probability").get<double>())});
  }
  for (const Value& runs : rows.at("runs")) submission_.add({id, runs.get<std::string>()});
  if (rows.at("runs").empty()) submission_.add({id, ""});  // Kaggle wants a line for an image without objects
}

void PredictionTables::write(const std::filesystem::path& folder) const {
  pipeline::write_file(folder / "objects.csv", objects_.text());
  pipeline::write_file(folder / "submission.csv", submission_.text());
}

}  // namespace penstock::stages
