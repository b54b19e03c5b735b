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
    objects_ +=
        fmt::format("{},{},{},{:.3f},{:.3f},{:.4f}\n", id, row.at("object").get<int>(), row.at("area").get<int64_t>(),
                    row.at("x").get<double>(), row.at("y").get<double>(), row.at("probability").get<double>());
  }
  for (const Value& runs : rows.at("runs")) submission_ += id + "," + runs.get<std::string>() + "\n";
  if (rows.at("runs").empty()) submission_ += id + ",\n";  // Kaggle wants a line for an image without objects
}

void PredictionTables::write(const std::filesystem::path& folder) const {
  pipeline::write_file(folder / "objects.csv", objects_);
  pipeline::write_file(folder / "submission.csv", submission_);
}

}  // namespace penstock::stages
