#include "stages/compute/scores/prediction_tables.h"

#include <fmt/format.h>

#include "pipeline/files.h"
#include "pipeline/large_files.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

const std::vector<std::string> object_columns = {"id", "object", "area", "x", "y", "probability"};
const std::vector<std::string> submission_columns = {"ImageId", "EncodedPixels"};

// A row of objects.csv; the centroid in native pixels.
struct ObjectRow {
  size_t object = 0;
  int64_t area = 0;
  double x = 0, y = 0, probability = 0;

  std::vector<std::string> fields(const std::string& id) const {
    return {id,
            std::to_string(object),
            std::to_string(area),
            fmt::format("{:.3f}", x),
            fmt::format("{:.3f}", y),
            fmt::format("{:.4f}", probability)};
  }
};

ObjectRow row_of(const FoundObjects& found, size_t i) {
  const FoundObject& object = found.objects[i];
  const auto area = static_cast<double>(object.area);
  return {i + 1, object.area, static_cast<double>(object.x) / area, static_cast<double>(object.y) / area,
          object.probability / area};
}

void append_file(const std::filesystem::path& from, pipeline::FileWriter& to) { to.write(pipeline::read_file(from)); }

}  // namespace

PredictionTables::PredictionTables() : objects_(object_columns), submission_(submission_columns) {}

Value PredictionTables::rows_of(const FoundObjects& found) {
  Value objects = Value::array(), runs = Value::array();
  for (size_t i = 0; i < found.objects.size(); ++i) {
    const ObjectRow row = row_of(found, i);
    objects.push_back(
        {{"object", row.object}, {"area", row.area}, {"x", row.x}, {"y", row.y}, {"probability", row.probability}});
    runs.push_back(run_lengths(found, found.objects[i]));
  }
  return {{"objects", std::move(objects)}, {"runs", std::move(runs)}};
}

void PredictionTables::add(const std::string& id, const Value& rows) {
  for (const Value& row : rows.at("objects")) {
    objects_.add(
        ObjectRow{row.at("object"), row.at("area"), row.at("x"), row.at("y"), row.at("probability")}.fields(id));
  }
  for (const Value& runs : rows.at("runs")) submission_.add({id, runs.get<std::string>()});
  if (rows.at("runs").empty()) submission_.add({id, ""});  // Kaggle wants a line for an image without objects
}

void PredictionTables::write(const std::filesystem::path& folder) const {
  pipeline::write_file(folder / "objects.csv", objects_.text());
  pipeline::write_file(folder / "submission.csv", submission_.text());
}

void write_table_parts(const TableParts& parts, const std::string& id, const FoundObjects& found) {
  pipeline::FileWriter objects(parts.objects), submission(parts.submission);
  for (size_t i = 0; i < found.objects.size(); ++i) {
    objects.write(csv_line(row_of(found, i).fields(id)));
    submission.write(csv_line({id, run_lengths(found, found.objects[i])}));
  }
  if (found.objects.empty()) submission.write(csv_line({id, ""}));
  objects.commit();
  submission.commit();
}

void join_tables(const std::filesystem::path& folder, const std::vector<TableParts>& parts) {
  pipeline::FileWriter objects(folder / "objects.csv"), submission(folder / "submission.csv");
  objects.write(csv_line(object_columns));
  submission.write(csv_line(submission_columns));
  for (const TableParts& one : parts) {
    append_file(one.objects, objects);
    append_file(one.submission, submission);
  }
  objects.commit();
  submission.commit();
}

}  // namespace penstock::stages
