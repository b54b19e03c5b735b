#include "stages/compute/scores/prediction_tables.h"

#include <fmt/format.h>

#include "pipeline/files.h"
#include "pipeline/large_files.h"
#include "stages/packs/csv.h"

namespace penstock::stages {
namespace {

const std::vector<std::string> object_columns = {"id", "object", "area", "x", "y", "probability"};
const std::vector<std::string> submission_columns = {"ImageId", "EncodedPixels"};

// The centroid in native pixels.
std::vector<std::string> object_fields(const std::string& id, const FoundObjects& found, size_t i) {
  const FoundObject& object = found.objects[i];
  const auto area = static_cast<double>(object.area);
  return {id,
          std::to_string(i + 1),
          std::to_string(object.area),
          fmt::format("{:.3f}", static_cast<double>(object.x) / area),
          fmt::format("{:.3f}", static_cast<double>(object.y) / area),
          fmt::format("{:.4f}", object.probability / static_cast<double>(object.area - object.filled))};
}

void append_file(const std::filesystem::path& from, pipeline::FileWriter& to) { to.write(pipeline::read_file(from)); }

}  // namespace

TableParts table_parts(const std::filesystem::path& folder, const std::string& id) {
  return {folder / (id + ".objects.csv"), folder / (id + ".submission.csv")};
}

void write_table_parts(const TableParts& parts, const std::string& id, const FoundObjects& found) {
  pipeline::FileWriter objects(parts.objects), submission(parts.submission);
  for (size_t i = 0; i < found.objects.size(); ++i) {
    objects.write(csv_line(object_fields(id, found, i)));
    submission.write(csv_line({id, run_lengths(found, found.objects[i])}));
  }
  if (found.objects.empty()) submission.write(csv_line({id, ""}));  // Kaggle wants a line for such an image too
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
