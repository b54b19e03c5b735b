// objects.csv and submission.csv of a predictions folder, image by image in the order of their ids. One thread writes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/found_objects.h"
#include "stages/images/csv.h"

namespace penstock::stages {

// Rows that are in memory.
class PredictionTables {
 public:
  PredictionTables();

  // What `rows_of` made for one image.
  void add(const std::string& id, const pipeline::Value& rows);
  void write(const std::filesystem::path& folder) const;

  // The rows of one image, as JSON that travels with chunks: {"objects": [{"object", "area", "x", "y", "probability"}]
  // (centroids in native pixels), "runs": [Kaggle's run lengths of each object]}.
  static pipeline::Value rows_of(const FoundObjects& found);

 private:
  CsvTable objects_, submission_;
};

// The same tables of images whose rows may be too many to hold: those of each image are two files, later joined.
struct TableParts {
  std::filesystem::path objects, submission;  // rows without a header
};
void write_table_parts(const TableParts& parts, const std::string& id, const FoundObjects& found);
void join_tables(const std::filesystem::path& folder, const std::vector<TableParts>& parts);

}  // namespace penstock::stages
