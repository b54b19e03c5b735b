// objects.csv and submission.csv of a predictions folder, filled image by image in the order of their ids, by one
// thread.
#pragma once

#include <filesystem>
#include <string>

#include "stages/compute/scores/score_sample.h"
#include "stages/images/csv.h"

namespace penstock::stages {

class PredictionTables {
 public:
  // What `rows_of` made for one image.
  void add(const std::string& id, const pipeline::Value& rows);
  void write(const std::filesystem::path& folder) const;

  // The rows of one image, as JSON that travels between ranks and chunks.
  static pipeline::Value rows_of(const NativePrediction& prediction);

 private:
  CsvTable objects_{{"id", "object", "area", "x", "y", "probability"}};
  CsvTable submission_{{"ImageId", "EncodedPixels"}};
};

}  // namespace penstock::stages
